import assert from 'node:assert/strict';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../../src/core/errors.js';
import type { JournalLimits } from '../../../src/shard/apply/blob-compactor.js';
import type { RawEntry } from '../../../src/shard/apply/log-applier.js';
import type { RecordStore } from '../../../src/shard/store/record-store.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';
import { BlobRecorder, openLocalShard, type LocalShard } from '../local-shard.js';
import { PARTITION_COUNT, recordEntry, recordOf, removalEntry } from '../records.js';
import { assertBlobsAgree, blobName, folderWithBlobs, OFTEN, PARTITIONS, searchAll } from './blob-folders.js';

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
