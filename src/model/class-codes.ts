/** Least share of the images that a bit is set for, and left unset for: below it, its entropy falls under 0.81. */
const BIT_SHARE_MIN = 0.25;

/**
 * One code for every class, from a trained network: each bit takes the sign that the class's images have on average.
 * Where that leaves a bit nearly constant over the images, the class on the crowded side that is least sure of it
 * changes sides, unless two classes would come nearer each other than the nearest two were.
 * @param means shape [classes, codeBits]: mean embedding of each class
 * @param sizes shape [classes]: images of each class
 * @returns shape [classes, codeBits], −1 or +1
 */
export function settledClassCodes(
  means: Float64Array,
  sizes: ArrayLike<number>,
  codeBits: number,
): Float32Array {
  const codes = Float32Array.from(means, (mean) => (mean >= 0 ? 1 : -1));
  const classes = Array.from(sizes, (_, label) => label);
  const total = classes.reduce((sum, label) => sum + (sizes[label] as number), 0);
  const distanceMin = leastDistance(codes, classes.length, codeBits);
  for (let bit = 0; bit < codeBits; bit++) {
    const at = (label: number): number => label * codeBits + bit;
    const setShare = (): number =>
      classes.reduce((sum, label) => sum + (codes[at(label)] === 1 ? (sizes[label] as number) : 0), 0) /
      total;
    const unsureFirst = [...classes].sort(
      (a, b) => Math.abs(means[at(a)] as number) - Math.abs(means[at(b)] as number),
    );
    for (const label of unsureFirst) {
      const before = setShare();
      if (Math.min(before, 1 - before) >= BIT_SHARE_MIN) break;
      if ((codes[at(label)] === 1) !== before > 0.5) continue;
      codes[at(label)] = -(codes[at(label)] as number);
      const after = setShare();
      const worse = Math.abs(after - 0.5) >= Math.abs(before - 0.5);
      if (worse || leastDistance(codes, classes.length, codeBits) < distanceMin)
        codes[at(label)] = -(codes[at(label)] as number);
    }
  }
  return codes;
}

/** Least number of bits between two of the codes. */
function leastDistance(codes: Float32Array, count: number, codeBits: number): number {
  let least = codeBits;
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      let distance = 0;
      for (let bit = 0; bit < codeBits; bit++)
        if (codes[a * codeBits + bit] !== codes[b * codeBits + bit]) distance++;
      least = Math.min(least, distance);
    }
  }
  return least;
}
