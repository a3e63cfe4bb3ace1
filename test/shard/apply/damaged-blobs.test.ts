import assert from 'node:assert/strict';
import { appendFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { KinscanError } from '../../../src/core/errors.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import { journalKey, manifestKey, tieEntryKey } from '../../../src/shard/store/key-layout.js';
import { RocksDatabase } from '../../../src/shard/store/rocks-database.js';
import { sealRows } from '../../../src/shard/store/row-block.js';
import { RowBuilder } from '../../../src/shard/store/row-builder.js';
import { readJson, sealJson } from '../../../src/shard/store/sealed-value.js';
import { BlobRecorder, openLocalShard } from '../local-shard.js';
import { partitionOfId, recordEntry, recordOf } from '../records.js';
import {
  assertBlobsAgree,
  blobName,
  folderWithBlobs,
  KIND,
  OFTEN,
  PARTITIONS,
  searchAll,
} from './blob-folders.js';

const OPTIONS = { cacheBytes: 1 << 20, writeBufferBytes: 1 << 20 };

type Damage = (database: RocksDatabase, of: Awaited<ReturnType<typeof folderWithBlobs>>) => Promise<void>;

async function flipInFile(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] as number) ^ 1;
  await writeFile(file, bytes);
}

async function flip(database: RocksDatabase, key: Buffer): Promise<void> {
  const [value] = await database.getMany([key]);
  assert.ok(value);
  const at = value.length - 3;
  value[at] = (value[at] as number) ^ 1;
  await database.write([{ type: 'put', key, value }]);
}

/** Damage to partition 1. */
const DAMAGES: Record<string, Damage> = {
  'a flipped bit at the end of the file': (_, { blobFile }) => flipInFile(blobFile, -3),
  'a flipped bit in the head of a block': (_, { blobFile }) => flipInFile(blobFile, 6),
  'a file that is missing': (_, { blobFile }) => rm(blobFile),
  'a file that is empty': (_, { blobFile }) => truncate(blobFile, 0),
  'a file that is cut short': async (_, { blobFile }) => truncate(blobFile, (await stat(blobFile)).size - 20),
  'a file with bytes behind its end': (_, { blobFile }) => appendFile(blobFile, 'more'),
  'a file with fewer rows, whole by itself': async (_, { blobFile }) => {
    const rows = new RowBuilder(KIND.widths, 1);
    rows.push({ tieKey: 1n, attributes: 0, code: Buffer.alloc(2), fineCode: Buffer.alloc(0) });
    await writeFile(blobFile, sealRows(rows.columns(), KIND.widths));
  },
  'a file with as many rows and another width, whole by itself': async (_, { blobFile, manifest }) => {
    const widths = { codeBytes: 1, fineCodeBytes: 1 };
    const rows = new RowBuilder(widths, 1);
    for (let i = 0; i < manifest.rows; i++) {
      rows.push({ tieKey: BigInt(i), attributes: 0, code: Buffer.alloc(1), fineCode: Buffer.alloc(1) });
    }
    const sealed = sealRows(rows.columns(), widths);
    assert.equal(sealed.length, (await stat(blobFile)).size);
    await writeFile(blobFile, sealed);
  },
  'the file of other rows, whole by itself, in its place': async (_, { blobFile, manifest }) => {
    const rows = new RowBuilder(KIND.widths, 1);
    for (let i = 0; i < manifest.rows; i++) {
      rows.push({ tieKey: BigInt(i), attributes: 0, code: Buffer.alloc(2), fineCode: Buffer.alloc(0) });
    }
    const sealed = sealRows(rows.columns(), KIND.widths);
    assert.equal(sealed.length, (await stat(blobFile)).size);
    await writeFile(blobFile, sealed);
  },
  'a flipped bit in the manifest': (database) => flip(database, manifestKey(1)),
  'a manifest that is missing': (database) => database.write([{ type: 'del', key: manifestKey(1) }]),
  'a manifest that counts wrong': async (database) => {
    const [value] = await database.getMany([manifestKey(1)]);
    const manifest = readJson(value as Buffer) as { rows: number };
    const wrong = sealJson({ ...manifest, rows: manifest.rows + 1 });
    await database.write([{ type: 'put', key: manifestKey(1), value: wrong }]);
  },
  'a flipped bit in the journal': (database, { journal }) => flip(database, journalKey(1, journal)),
  'a gap in the journal': (database, { manifest }) =>
    database.write([{ type: 'del', key: journalKey(1, manifest.journal + 1) }]),
  'a journal without its end': (database, { journal }) =>
    database.write([{ type: 'del', key: journalKey(1, journal) }]),
};

describe('damaged blobs', () => {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`(${what}) are told, made again from the tie entries, and whole after that`, async (test) => {
      const before = await folderWithBlobs();
      const database = await RocksDatabase.open(before.folder, OPTIONS);
      await damage(database, before);
      await database.close();
      const events = new BlobRecorder();
      const shard = await openLocalShard(before.folder, { blobEvents: events });
      assert.equal(events.damaged.length, 1);
      assert.deepEqual(events.loaded, ['blobs', 'tieEntries', 'blobs', 'blobs']);
      assert.deepEqual(await searchAll(shard), before.found);
      await shard.applier.blobsSettled();
      assert.deepEqual([events.compactions, events.failures], [1, []]);
      await shard.close();
      const healed = new BlobRecorder();
      const again = await openLocalShard(before.folder, { blobEvents: healed });
      test.after(again.close);
      assert.deepEqual([healed.loaded, healed.damaged], [Array.from(PARTITIONS, () => 'blobs'), []]);
      assert.deepEqual(await searchAll(again), before.found);
      await assertBlobsAgree(again.store);
    });
  }

  it('are found by a compaction, too, and made again while batches go on', async (test) => {
    const { folder, manifest } = await folderWithBlobs();
    const events = new BlobRecorder();
    const shard = await openLocalShard(folder, { blobEvents: events, journalLimits: OFTEN });
    await shard.applier.blobsSettled();
    const compactions = events.compactions;
    const present = await shard.store.blobs.manifest(1);
    assert.ok(present && present.generation >= manifest.generation);
    await flipInFile(path.join(folder, 'blobs', blobName(1, present.generation)), 20);
    for (let i = 151; i <= 250; i++) {
      await shard.applier.apply([recordEntry(i, recordOf(`image ${i}`, i, Buffer.from([i & 3, 0])))]);
    }
    await shard.applier.blobsSettled();
    assert.equal(events.damaged.length, 1);
    assert.ok(events.compactions > compactions);
    await assertBlobsAgree(shard.store);
    const found = await searchAll(shard);
    assert.equal(found.length, 250);
    await shard.close();
    const again = await openLocalShard(folder, { blobEvents: events });
    test.after(again.close);
    assert.deepEqual(await searchAll(again), found);
    assert.deepEqual([events.damaged.length, events.failures], [1, []]);
  });

  it('are CORRUPT_RECORD where a tie entry is damaged as well', async () => {
    const { folder } = await folderWithBlobs();
    const id = Array.from({ length: 150 }, (_, i) => `image ${i + 1}`).find(
      (one) => partitionOfId(one) === 1,
    );
    const database = await RocksDatabase.open(folder, OPTIONS);
    await flip(database, manifestKey(1));
    await flip(database, tieEntryKey(1, tieKeyOf(id as string)));
    await database.close();
    await assert.rejects(
      openLocalShard(folder),
      (error) => error instanceof KinscanError && error.code === 'CORRUPT_RECORD',
    );
  });
});
