import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../../src/core/errors.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import type { JournalLimits } from '../../../src/shard/apply/blob-compactor.js';
import type { RawEntry } from '../../../src/shard/apply/log-applier.js';
import { loadPartition, rowKindOf, tieEntryRows } from '../../../src/shard/apply/partition-loader.js';
import type { PackedRows } from '../../../src/shard/index/index-api.js';
import { journalKey, manifestKey, tieEntryKey } from '../../../src/shard/store/key-layout.js';
import type { RecordStore } from '../../../src/shard/store/record-store.js';
import { RocksDatabase } from '../../../src/shard/store/rocks-database.js';
import { sealRows } from '../../../src/shard/store/row-block.js';
import { RowBuilder } from '../../../src/shard/store/row-builder.js';
import { readJson, sealJson } from '../../../src/shard/store/sealed-value.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { BlobRecorder, openLocalShard, type LocalShard } from '../local-shard.js';
import { MODEL, PARTITION_COUNT, partitionOfId, recordEntry, recordOf, removalEntry } from '../records.js';

const PARTITIONS = Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);
const OPTIONS = { cacheBytes: 1 << 20, writeBufferBytes: 1 << 20 };
const KIND = rowKindOf(MODEL);
/** Blobs are written again after nearly every batch. */
const OFTEN: JournalLimits = { entriesMax: 2, rowsMin: 3, rowsShare: 0.1 };
const NEVER: JournalLimits = { entriesMax: Infinity, rowsMin: Infinity, rowsShare: 1 };
const FOREIGN = { modelVersion: 'b'.repeat(64), code: { bits: Buffer.alloc(6), codeBits: 48 } };

interface Step {
  readonly kind: 'record' | 'foreign' | 'removal';
  readonly id: number;
  readonly code: number;
  readonly series: number;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('record', 'record', 'record', 'foreign', 'removal'),
  id: fc.nat({ max: 40 }),
  code: fc.nat({ max: 3 }),
  series: fc.nat({ max: 2 }),
});

function entriesOf(steps: readonly Step[]): RawEntry[] {
  return steps.map(({ kind, id, code, series }, i) => {
    const [imageId, revision] = [`image ${id}`, i + 1];
    if (kind === 'removal') return removalEntry(i + 1, imageId, revision);
    const overrides = {
      metadata: { seriesInstanceUid: `1.${series}` },
      ...(kind === 'foreign' ? FOREIGN : {}),
    };
    return recordEntry(i + 1, recordOf(imageId, revision, Buffer.from([code, 0]), overrides));
  });
}

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

async function assertBlobsAgree(store: RecordStore): Promise<void> {
  for (const partition of PARTITIONS) {
    const { damage, blobs, tieEntries } = await bothReadings(store, partition);
    assert.equal(damage, undefined);
    assert.deepEqual(blobs, tieEntries);
  }
}

function blobName(partition: number, generation: number): string {
  return `p${String(partition).padStart(5, '0')}-g${String(generation).padStart(7, '0')}.rows`;
}

async function searchAll({ search, applier }: LocalShard): Promise<string[]> {
  const query = {
    code: Buffer.alloc(2),
    k: 10_000,
    ranking: 'HAMMING' as const,
    partitions: applier.partitions(),
  };
  const { hits } = await search.search(query);
  return hits.imageIds.map((id, i) => `${id} at ${hits.distances[i]}`);
}

describe('blobs', () => {
  it('say what the tie entries say, after any history, whenever blobs were written', async () => {
    const plan = fc.record({
      steps: fc.array(anyStep, { minLength: 1, maxLength: 120 }),
      batchLength: fc.integer({ min: 1, max: 30 }),
      limits: fc.constantFrom(OFTEN, NEVER, { ...OFTEN, entriesMax: 4 }),
      restartEvery: fc.integer({ min: 1, max: 5 }),
      settles: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ steps, batchLength, limits, restartEvery, settles }) => {
        const folder = await temporaryFolder();
        const blobEvents = new BlobRecorder();
        const open = () => openLocalShard(folder, { blobEvents, journalLimits: limits });
        let shard = await open();
        const entries = entriesOf(steps);
        for (let at = 0, batch = 1; at < entries.length; at += batchLength, batch++) {
          await shard.applier.apply(entries.slice(at, at + batchLength));
          if (settles) await shard.applier.blobsSettled();
          if (batch % restartEvery !== 0) continue;
          const before = await searchAll(shard);
          await shard.close();
          shard = await open();
          assert.deepEqual(await searchAll(shard), before);
        }
        await shard.applier.blobsSettled();
        await assertBlobsAgree(shard.store);
        await shard.close();
        assert.deepEqual([blobEvents.damaged, blobEvents.failures], [[], []]);
        assert.ok(blobEvents.loaded.every((from) => from === 'blobs'));
        if (limits === NEVER) assert.equal(blobEvents.compactions, 0);
      }),
      { numRuns: 20 },
    );
  });

  it('are whole after the process died at any write, before or after it', async () => {
    const steps = fc.sample(anyStep, { numRuns: 60, seed: 4 });
    const entries = entriesOf(steps);
    let writes = 0;
    for (let killAt = 1; ; killAt++) {
      const folder = await temporaryFolder();
      const counter = { writes: 0, killAt, after: killAt % 2 === 0 };
      const blobEvents = new BlobRecorder();
      const wrap = (store: RecordStore) => dyingStore(store, counter);
      const shard = await openLocalShard(folder, { journalLimits: OFTEN, blobEvents, wrap });
      const died = await applyUntilDeath(shard, entries);
      await shard.close();
      writes = Math.max(writes, counter.writes);
      const heir = await openLocalShard(folder, { journalLimits: OFTEN, blobEvents });
      // the reading below would meet a compaction
      await heir.applier.blobsSettled();
      await assertBlobsAgree(heir.store);
      const from = Math.min(...PARTITIONS.map((partition) => heir.applier.positionOf(partition).sequence));
      await heir.applier.apply(entries.slice(from));
      await heir.applier.blobsSettled();
      await assertBlobsAgree(heir.store);
      await heir.close();
      assert.deepEqual(blobEvents.damaged, []);
      if (!died) break;
    }
    assert.ok(writes > 30, `${writes} writes: blobs were written between the batches`);
  });

  it('of another model version are written again from the tie entries', async (test) => {
    const folder = await temporaryFolder();
    const shard = await openLocalShard(folder, { journalLimits: OFTEN });
    for (let i = 1; i <= 40; i++) {
      await shard.applier.apply([recordEntry(i, recordOf(`image ${i}`, i, Buffer.from([i & 3, 0])))]);
    }
    const found = await searchAll(shard);
    await shard.close();
    const model = { modelVersion: 'b'.repeat(64), codeBits: 48, fineCodeBits: 0 };
    const events = new BlobRecorder();
    const other = await openLocalShard(folder, { model, blobEvents: events });
    await other.applier.blobsSettled();
    assert.equal(other.applier.foreignImageCount(), 40);
    await other.close();
    assert.deepEqual([events.damaged, events.compactions], [[], 4]);
    assert.deepEqual(
      events.loaded,
      Array.from(PARTITIONS, () => 'tieEntries'),
    );
    const again = await openLocalShard(folder);
    test.after(again.close);
    assert.deepEqual(await searchAll(again), found);
  });
});

/** The store of a process that dies at a write: it is done, or not, and none comes after it. */
function dyingStore(
  store: RecordStore,
  counter: { writes: number; killAt: number; after: boolean },
): RecordStore {
  const dying = <Target extends object>(target: Target, writes: readonly string[]): Target =>
    new Proxy(target, {
      get: (_, key): unknown => {
        const value: unknown = Reflect.get(target, key, target);
        if (key === 'blobs') return dying(value as object, ['writeBlocks', 'publish', 'discard', 'keepOnly']);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
        if (!writes.includes(String(key))) return method;
        return async (...args: unknown[]) => {
          counter.writes++;
          if (counter.writes < counter.killAt) return method(...args);
          if (counter.writes === counter.killAt && counter.after) await method(...args);
          throw new KinscanError('INTERNAL', 'the process is dead');
        };
      },
    });
  return dying(store, ['commit']);
}

async function applyUntilDeath({ applier }: LocalShard, entries: readonly RawEntry[]): Promise<boolean> {
  try {
    for (let at = 0; at < entries.length; at += 5) {
      await applier.apply(entries.slice(at, at + 5));
      await applier.blobsSettled();
    }
    return false;
  } catch {
    return true;
  }
}

/** A folder with blobs and a journal behind them in every partition, and what is found in it. */
async function folderWithBlobs() {
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

describe('files of blobs', () => {
  it('that no manifest names are deleted at start, half-written or whole, and change nothing', async (test) => {
    const { folder, found, manifest, blobFile } = await folderWithBlobs();
    const whole = await readFile(blobFile);
    const next = path.join(folder, 'blobs', blobName(1, manifest.generation + 1));
    await writeFile(next, whole.subarray(0, -10));
    await writeFile(path.join(folder, 'blobs', blobName(1, manifest.generation - 1)), whole);
    await writeFile(path.join(folder, 'blobs', blobName(77, 3)), whole);
    await writeFile(path.join(folder, 'blobs', 'notes.txt'), 'not a file of blobs');
    const events = new BlobRecorder();
    const shard = await openLocalShard(folder, { blobEvents: events });
    test.after(shard.close);
    assert.deepEqual([events.damaged, events.loaded], [[], Array.from(PARTITIONS, () => 'blobs')]);
    assert.deepEqual(await searchAll(shard), found);
    const present = await Promise.all(PARTITIONS.map((partition) => shard.store.blobs.manifest(partition)));
    const names = present.map((one, partition) => blobName(partition, one?.generation ?? 0));
    assert.deepEqual((await readdir(path.join(folder, 'blobs'))).sort(), ['notes.txt', ...names].sort());
    const sizes = await Promise.all(names.map((name) => stat(path.join(folder, 'blobs', name))));
    assert.equal(
      shard.store.blobs.fileBytes,
      sizes.reduce((sum, { size }) => sum + size, 0),
    );
  });

  it('are one for each partition, however often they were written', async (test) => {
    const { folder } = await folderWithBlobs();
    const shard = await openLocalShard(folder, { journalLimits: OFTEN });
    test.after(shard.close);
    for (let i = 151; i <= 200; i++) {
      await shard.applier.apply([recordEntry(i, recordOf(`image ${i}`, i, Buffer.from([i & 3, 0])))]);
    }
    await shard.applier.blobsSettled();
    assert.equal((await readdir(path.join(folder, 'blobs'))).length, PARTITION_COUNT);
    await shard.store.clear(2);
    assert.equal((await readdir(path.join(folder, 'blobs'))).length, PARTITION_COUNT - 1);
  });

  it('that the disk has no room for are STORAGE_FULL, tried again later, and those in use go on', async (test) => {
    const { folder, found, manifest } = await folderWithBlobs();
    const next = path.join(folder, 'blobs', blobName(1, manifest.generation + 1));
    const events = new BlobRecorder();
    let isFull = true;
    const shard = await openLocalShard(folder, {
      blobEvents: events,
      journalLimits: OFTEN,
      wrap: (store) => fillingStore(store, async () => isFull && (await symlink('/dev/full', next))),
    });
    await shard.applier.blobsSettled();
    assert.ok(events.failures.length > 0);
    assert.ok(
      events.failures.every((error) => error instanceof KinscanError && error.code === 'STORAGE_FULL'),
    );
    assert.ok(!(await readdir(path.dirname(next))).includes(path.basename(next)), 'the room is given back');
    assert.equal((await shard.store.blobs.manifest(1))?.generation, manifest.generation);
    assert.deepEqual(await searchAll(shard), found);
    await shard.close();
    isFull = false;
    const again = await openLocalShard(folder, { blobEvents: events, journalLimits: OFTEN });
    test.after(again.close);
    await again.applier.blobsSettled();
    assert.equal((await again.store.blobs.manifest(1))?.generation, manifest.generation + 1);
    assert.deepEqual([events.damaged, await searchAll(again)], [[], found]);
    await assertBlobsAgree(again.store);
  });
});

/** A store that does something before it writes to the blobs of partition 1. */
function fillingStore(store: RecordStore, before: () => Promise<unknown>): RecordStore {
  const methodsOf = <Target extends object>(target: Target, special: Record<string, unknown>): Target =>
    new Proxy(target, {
      get: (_, key): unknown => {
        const value: unknown = special[String(key)] ?? Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const { blobs } = store;
  const writeBlocks: typeof blobs.writeBlocks = async (partition, ...rest) => {
    if (partition === 1) await before();
    return blobs.writeBlocks(partition, ...rest);
  };
  return methodsOf(store, { blobs: methodsOf(blobs, { writeBlocks }) });
}

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
