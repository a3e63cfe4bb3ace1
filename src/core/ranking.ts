/** What decides an answer's place in the canonical order (DESIGN.md section 3, G2). */
export interface Ranked {
  /** Hamming distance of the codes, in bits. */
  readonly distance: number;
  /** Hamming distance of the fine codes, in bits; 0 for every answer where the ranking is HAMMING. */
  readonly fineDistance: number;
  /** Unsigned 64-bit hash of the image id (core/tie-key.ts). */
  readonly tieKey: bigint;
  /** The image id; needed only where two images have one tie key. */
  readonly id?: string;
}

/**
 * The canonical order: distance, then fine distance, then tie key (unsigned), then the bytes of the id's UTF-8.
 * It is a total order over images, so the first k of any gallery are the same whatever the servers, the order of
 * insertion or the replica asked.
 * @returns negative, 0 or positive, as Array.prototype.sort wants it
 */
export function compareRanked(a: Ranked, b: Ranked): number {
  if (a.distance !== b.distance) return a.distance - b.distance;
  if (a.fineDistance !== b.fineDistance) return a.fineDistance - b.fineDistance;
  if (a.tieKey !== b.tieKey) return a.tieKey < b.tieKey ? -1 : 1;
  return compareIds(a.id ?? '', b.id ?? '');
}

/** Byte order of the UTF-8 forms: what RocksDB keys have, and not always what JavaScript's `<` on strings says. */
export function compareIds(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
