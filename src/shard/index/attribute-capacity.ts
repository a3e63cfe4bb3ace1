/** Attribute sets have numbers below this: more than the images that a shard server holds. */
export const ATTRIBUTE_SETS_MAX = 2 ** 26;
/** Room that every segment has: 32 KiB of filter per slot. */
const CAPACITY_MIN = 2 ** 18;
/** Room for as many sets again as a gallery brings between two rebuilds. */
const GROWTH = 1.25;
/** Half of the room that GROWTH gives. */
const ALMOST_FULL_SHARE = 0.9;

/** One more than the largest of these numbers of attribute sets. */
export function attributesEnd(attributes: Uint32Array): number {
  let last = 0;
  for (let i = 0; i < attributes.length; i++)
    if ((attributes[i] as number) > last) last = attributes[i] as number;
  return last + 1;
}

/** How many attribute sets a segment is laid out for that has sets 0 to end - 1. */
export function attributeCapacityFor(end: number): number {
  return Math.max(CAPACITY_MIN, Math.ceil(end * GROWTH));
}

/** Time to rebuild a segment with sets 0 to end - 1: what is left must last until the rebuild is done. */
export function isAlmostFull(end: number, capacity: number): boolean {
  return end > capacity * ALMOST_FULL_SHARE;
}
