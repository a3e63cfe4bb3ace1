// The Hamming distance of 64 bits at p + at to q, and of 128 bits to (q0, q1).

// @ts-ignore: decorator
@inline
export function distance1(p: usize, at: usize, q: u64): u32 {
  return <u32>popcnt<u64>(load<u64>(p + at) ^ q);
}

// @ts-ignore: decorator
@inline
export function distance2(p: usize, at: usize, q0: u64, q1: u64): u32 {
  return <u32>(popcnt<u64>(load<u64>(p + at) ^ q0) + popcnt<u64>(load<u64>(p + at + 8) ^ q1));
}
