/** An embedding as signed bytes: value = byte * scale. */
export interface QuantisedEmbedding {
  /** Shape [codeBits], each -127 to 127. */
  readonly bytes: Int8Array;
  /** max |embedding| / 127; 0 where all values are 0. */
  readonly scale: number;
}

/** Rounds an embedding to int8, symmetric about 0: off by at most scale / 2, which is 0.4 % of its largest value. */
export function quantiseEmbedding(embedding: Float32Array): QuantisedEmbedding {
  let largest = 0;
  for (const value of embedding) largest = Math.max(largest, Math.abs(value));
  // the scale travels as a float32; dividing by the rounded one keeps the round trip exact
  const scale = Math.fround(largest / 127);
  const bytes = new Int8Array(embedding.length);
  if (scale > 0) {
    embedding.forEach((value, index) => {
      bytes[index] = Math.max(-127, Math.min(127, Math.round(value / scale)));
    });
  }
  return { bytes, scale };
}
