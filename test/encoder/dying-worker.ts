/** A worker thread that dies of item 13, as a native crash of a decoder would end it, and doubles all others. */
export default function double(items: readonly number[]): number[] {
  if (items.includes(13)) process.exit(7);
  return items.map((item) => item * 2);
}
