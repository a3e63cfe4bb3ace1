import assert from 'node:assert/strict';
import path from 'node:path';
import type { JournalLimits } from '../../../src/shard/apply/blob-compactor.js';
import { loadPartition, rowKindOf, tieEntryRows } from '../../../src/shard/apply/partition-loader.js';
import type { PackedRows } from '../../../src/shard/index/index-api.js';
import type { RecordStore } from '../../../src/shard/store/record-store.js';
import { RowBuilder } from '../../../src/shard/store/row-builder.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { openLocalShard, type LocalShard } from '../local-shard.js';
import { MODEL, PARTITION_COUNT, recordEntry, recordOf } from '../records.js';

export const PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);
export const KIND = rowKindOf(MODEL);
/** Blobs are written again after nearly every batch. */
export const OFTEN: JournalLimits = { entriesMax: 2, rowsMin: 3, rowsShare: 0.1 };

function textsOf({ count, tieKeys, attributes, codes }: PackedRows): string[] {
  const texts = Array.from({ length: count }, (_, i) =>
    [tieKeys[i], attributes[i], codes.subarray(i * 2, i * 2 + 2).join()].join(' '),
  );
  return texts.sort();
}

/** What start-up would read of a partition, and what its tie entries say. */
async function bothReadings(store: RecordStore, partition: number) {
  const [position] = await store.positions([partition]);
  const taken = new RowBuilder(KIND.widths, 1);
  const loaded = await loadPartition(partition, position?.journal ?? 0, {
    ...{ store, kind: KIND, staging: new RowBuilder(KIND.widths, 1) },
    begin: () => ({
      place: () => undefined,
      append: (rows) => taken.append(rows, 0, rows.count),
      done: () => undefined,
      abandon: () => assert.fail('the rows are whole'),
    }),
  });
  const rows = new RowBuilder(KIND.widths, 1);
  let foreignCount = 0;
  for await (const chunk of tieEntryRows(store, partition, KIND)) {
    rows.append(chunk.rows, 0, chunk.rows.count);
    foreignCount += chunk.foreignCount;
  }
  return {
    damage: loaded.damage?.message,
    blobs: {
      rows: textsOf(taken.packed()),
      foreignCount: loaded.foreignCount,
      usable: loaded.blobs.manifest !== undefined,
    },
    tieEntries: { rows: textsOf(rows.packed()), foreignCount, usable: true },
  };
}

export async function assertBlobsAgree(store: RecordStore): Promise<void> {
  for (const partition of PARTITIONS) {
    const { damage, blobs, tieEntries } = await bothReadings(store, partition);
    assert.equal(damage, undefined);
    assert.deepEqual(blobs, tieEntries);
  }
}

export function blobName(partition: number, generation: number): string {
  return `p${String(partition).padStart(5, '0')}-g${String(generation).padStart(7, '0')}.rows`;
}

export async function searchAll({ search, applier }: LocalShard): Promise<string[]> {
  const query = {
    code: Buffer.alloc(2),
    k: 10_000,
    ranking: 'HAMMING' as const,
    partitions: applier.partitions(),
  };
  const { hits } = await search.search(query);
  return hits.imageIds.map((id, i) => `${id} at ${hits.distances[i]}`);
}

/** A folder with blobs and a journal behind them in every partition, and what is found in it. */
export async function folderWithBlobs() {
  const folder = await temporaryFolder();
  const shard = await openLocalShard(folder, {
    journalLimits: { entriesMax: Infinity, rowsMin: 20, rowsShare: 1 },
  });
  for (let i = 1; i <= 150; i++) {
    await shard.applier.apply([recordEntry(i, recordOf(`image ${i}`, i, Buffer.from([i & 3, 0])))]);
    await shard.applier.blobsSettled();
  }
  const found = await searchAll(shard);
  const [position] = await shard.store.positions([1]);
  const manifest = await shard.store.blobs.manifest(1);
  assert.ok(position && manifest && manifest.generation > 0 && position.journal > manifest.journal + 1);
  await shard.close();
  const blobFile = path.join(folder, 'blobs', blobName(1, manifest.generation));
  return { folder, found, manifest, journal: position.journal, blobFile };
}
