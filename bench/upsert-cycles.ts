import type { IndexChange, IndexRow, PackedRows, ShardIndex } from '../src/shard/index/index-api.js';

/** Images that one `apply` replaces. */
const BATCH_ROWS = 1_000;

/**
 * Gives every image of the gallery another code and fine code once: those of the next image of its partition, so that the
 * gallery stays as it is spread. `set` is changed along.
 */
export async function upsertAll(
  index: ShardIndex,
  set: readonly PackedRows[],
  lengths: { readonly codeBits: number; readonly fineCodeBits: number },
): Promise<void> {
  const firsts = set.map((rows) => rowAt(rows, 0, lengths));
  const rowsMax = Math.max(...set.map(({ count }) => count));
  for (let from = 0; from < rowsMax; from += BATCH_ROWS) {
    for (const [partition, rows] of set.entries()) {
      const changes: IndexChange[] = [];
      for (let i = from; i < Math.min(rows.count, from + BATCH_ROWS); i++) {
        const before = rowAt(rows, i, lengths);
        const next = i + 1 < rows.count ? rowAt(rows, i + 1, lengths) : (firsts[partition] as IndexRow);
        rows.codes.set(next.code, i * next.code.length);
        rows.fineCodes.set(next.fineCode, i * next.fineCode.length);
        changes.push({ kind: 'remove', ...before }, { kind: 'add', row: { ...next, tieKey: before.tieKey } });
      }
      if (changes.length > 0) await index.apply(partition, changes);
    }
  }
  await index.settled();
}

function rowAt(
  rows: PackedRows,
  i: number,
  { codeBits, fineCodeBits }: { readonly codeBits: number; readonly fineCodeBits: number },
): IndexRow {
  const codeBytes = codeBits / 8;
  const fineBytes = fineCodeBits / 8;
  return {
    code: rows.codes.slice(i * codeBytes, (i + 1) * codeBytes),
    fineCode: rows.fineCodes.slice(i * fineBytes, (i + 1) * fineBytes),
    tieKey: rows.tieKeys[i] as bigint,
    attributes: rows.attributes[i] as number,
  };
}
