import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { KinscanError } from '../../../src/core/errors.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import {
  frameKey,
  idOfKey,
  recordKey,
  SETTINGS_KEY,
  tieEntryKey,
  tieEntryRange,
  tieKeyOfTieEntryKey,
} from '../../../src/shard/store/key-layout.js';
import { NO_CHANGE, POSITION_START, RecordStore } from '../../../src/shard/store/record-store.js';
import { RocksDatabase } from '../../../src/shard/store/rocks-database.js';
import { sealValue, unsealValue } from '../../../src/shard/store/sealed-value.js';
import { decodeTieEntry, encodeTieEntry, type IdState } from '../../../src/shard/store/tie-entry.js';
import { temporaryFolder } from '../../helpers/temporary-folder.js';

const OPTIONS = { cacheBytes: 1 << 20, writeBufferBytes: 1 << 20 };

async function openStore(test: TestContext, folder?: string): Promise<RecordStore> {
  const store = await RecordStore.open(folder ?? (await temporaryFolder()), 4, OPTIONS);
  test.after(() => store.close().catch(() => undefined));
  return store;
}

function liveState(imageId: string, revision: number): IdState {
  const live = {
    revision,
    modelTag: 7n,
    code: Buffer.from([1, 2]),
    fineCode: Buffer.alloc(0),
    attributes: 3,
    summary: Buffer.from('what is shown'),
  };
  return { imageId, removedBefore: 0, live };
}

function hasCode(code: string) {
  return (error: unknown) => error instanceof KinscanError && error.code === code;
}

describe('record store', () => {
  it('gives back records, tie entries, frames and positions after it was closed and opened again', async (test) => {
    const folder = await temporaryFolder();
    const tieKey = tieKeyOf('series#2');
    const position = { sequence: 42, generation: 1, log: '2026-01-01T00:00:00Z', journal: 7 };
    const first = await openStore(test, folder);
    await first.commit({
      ...NO_CHANGE,
      tieEntries: [{ partition: 3, tieKey, states: [liveState('series#2', 9)] }],
      records: [{ partition: 3, tieKey, imageId: 'series#2', record: Buffer.from('the record') }],
      positions: [{ partition: 3, position }],
    });
    await first.close();
    const store = await openStore(test, folder);
    const [record] = await store.readRecords([{ partition: 3, tieKey, imageId: 'series#2' }]);
    assert.equal(record?.toString(), 'the record');
    assert.deepEqual(await store.readTieEntries([{ partition: 3, tieKey }]), [[liveState('series#2', 9)]]);
    assert.deepEqual(await store.frameIds(3, 'series'), ['series#2']);
    assert.deepEqual(await store.frameIds(2, 'series'), []);
    assert.deepEqual(await store.positions([3, 0]), [position, POSITION_START]);
  });

  it('takes records, their frames and empty tie entries away', async (test) => {
    const store = await openStore(test);
    const tieKey = tieKeyOf('s#1');
    const ref = { partition: 0, tieKey, imageId: 's#1' };
    await store.commit({
      ...NO_CHANGE,
      tieEntries: [{ partition: 0, tieKey, states: [liveState('s#1', 1)] }],
      records: [{ ...ref, record: Buffer.from('x') }],
    });
    await store.commit({
      ...NO_CHANGE,
      tieEntries: [{ partition: 0, tieKey, states: [] }],
      records: [{ ...ref, record: undefined }],
    });
    assert.deepEqual(await store.readRecords([ref]), [undefined]);
    assert.deepEqual(await store.readTieEntries([ref]), [[]]);
    assert.deepEqual(await store.frameIds(0, 's'), []);
  });

  it('walks the tie entries of one partition in the order of their keys', async (test) => {
    const store = await openStore(test);
    const ids = Array.from({ length: 2_500 }, (_, i) => `image ${i}`);
    const entries = ids.map((id) => ({ partition: 1, tieKey: tieKeyOf(id), states: [liveState(id, 1)] }));
    const neighbours = [0, 2].map((partition) => ({ partition, tieKey: 5n, states: [liveState('no', 1)] }));
    await store.commit({ ...NO_CHANGE, tieEntries: [...entries, ...neighbours] });
    const seen: bigint[] = [];
    for await (const chunk of store.tieEntries(1)) seen.push(...chunk.map(({ tieKey }) => tieKey));
    const expected = ids.map(tieKeyOf).sort((a, b) => (a < b ? -1 : 1));
    assert.deepEqual(seen, expected);
  });

  it('forgets one partition and keeps the others', async (test) => {
    const store = await openStore(test);
    const put = (partition: number) => ({ partition, tieKey: 1n, imageId: 'a', record: Buffer.from('r') });
    const position = { sequence: 1, generation: 0, log: 'l', journal: 0 };
    await store.commit({
      ...NO_CHANGE,
      tieEntries: [1, 2].map((partition) => ({ ...put(partition), states: [liveState('a', 1)] })),
      records: [put(1), put(2)],
      positions: [1, 2].map((partition) => ({ partition, position })),
    });
    await store.clear(1);
    assert.deepEqual(await store.readRecords([put(1), put(2)]), [undefined, Buffer.from('r')]);
    assert.deepEqual(await store.positions([1, 2]), [POSITION_START, position]);
  });

  it('reads many records at once in the order asked, gaps included', async (test) => {
    const store = await openStore(test);
    const refs = Array.from({ length: 4_500 }, (_, i) => ({
      partition: 0,
      tieKey: BigInt(i),
      imageId: `${i}`,
    }));
    const stored = refs.filter((_, i) => i % 3 !== 0);
    await store.commit({
      ...NO_CHANGE,
      records: stored.map((ref) => ({ ...ref, record: Buffer.from(ref.imageId) })),
    });
    const records = await store.readRecords(refs);
    assert.deepEqual(
      records.map((record) => record?.toString()),
      refs.map(({ imageId }, i) => (i % 3 === 0 ? undefined : imageId)),
    );
  });

  it('refuses a folder that another process has open, with a clear message', async (test) => {
    const folder = await temporaryFolder();
    await openStore(test, folder);
    const script = `
      import { RecordStore } from ${JSON.stringify(new URL('../../../src/shard/store/record-store.js', import.meta.url).href)};
      try { await RecordStore.open(${JSON.stringify(folder)}, 4, ${JSON.stringify(OPTIONS)}); console.log('opened'); }
      catch (error) { console.log(error.code, error.message); }`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    assert.match(stdout, /^STORE_UNAVAILABLE .*another process has it open/);
  });

  it('refuses a folder of another format, and says what to do', async () => {
    const folder = await temporaryFolder();
    const database = await RocksDatabase.open(folder, OPTIONS);
    const value = sealValue(Buffer.from(JSON.stringify({ format: 1, partitionCount: 4 })));
    await database.write([{ type: 'put', key: SETTINGS_KEY, value }]);
    await database.close();
    const refused = (error: unknown) =>
      hasCode('STORE_UNAVAILABLE')(error) && /delete the folder/.test((error as Error).message);
    await assert.rejects(RecordStore.open(folder, 4, OPTIONS), refused);
  });

  it('refuses a folder of a collection with another number of partitions', async () => {
    const folder = await temporaryFolder();
    await (await RecordStore.open(folder, 4, OPTIONS)).close();
    await assert.rejects(RecordStore.open(folder, 8, OPTIONS), hasCode('STORE_UNAVAILABLE'));
    // and lets go of it
    await (await RecordStore.open(folder, 4, OPTIONS)).close();
  });

  it('says CORRUPT_RECORD where the files are damaged', async () => {
    const folder = await temporaryFolder();
    await (await RecordStore.open(folder, 4, OPTIONS)).close();
    for (const name of await readdir(folder)) {
      if (name.startsWith('MANIFEST')) await writeFile(path.join(folder, name), 'garbage');
    }
    await assert.rejects(RecordStore.open(folder, 4, OPTIONS), hasCode('CORRUPT_RECORD'));
  });

  it('finds a flipped bit in a stored record', async (test) => {
    const folder = await temporaryFolder();
    const database = await RocksDatabase.open(folder, OPTIONS);
    const value = sealValue(Buffer.from('a record that matters'));
    value.writeUInt8(value.readUInt8(9) ^ 1, 9);
    await database.write([{ type: 'put', key: recordKey(0, 5n, 'a'), value }]);
    await database.close();
    const store = await openStore(test, folder);
    const ref = { partition: 0, tieKey: 5n, imageId: 'a' };
    await assert.rejects(store.readRecords([ref]), hasCode('CORRUPT_RECORD'));
  });

  it('tells of a damaged block whoever wants it, and not those that read in the same turn', async (test) => {
    const folder = await temporaryFolder();
    const refs = Array.from({ length: 500 }, (_, i) => ({ partition: 0, tieKey: BigInt(i), imageId: 'a' }));
    const put = refs.map(({ partition, tieKey, imageId }) => ({
      type: 'put' as const,
      key: recordKey(partition, tieKey, imageId),
      value: sealValue(randomBytes(200)),
    }));
    let database = await RocksDatabase.open(folder, OPTIONS);
    await database.write(put);
    await database.close();
    // what was in the write-ahead log goes to a sorted file when it is opened again
    database = await RocksDatabase.open(folder, OPTIONS);
    await database.close();
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.sst')) continue;
      const bytes = await readFile(path.join(folder, name));
      bytes.fill(0xff, Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 8);
      await writeFile(path.join(folder, name), bytes);
    }
    const store = await openStore(test, folder);
    const outcomes = await Promise.allSettled(refs.map((ref) => store.readRecords([ref])));
    const failed = outcomes.filter(({ status }) => status === 'rejected');
    assert.ok(failed.length > 0 && failed.length < 50, `${failed.length} of ${refs.length} reads failed`);
    assert.ok(
      failed.every((outcome) => hasCode('CORRUPT_RECORD')((outcome as PromiseRejectedResult).reason)),
    );
  });

  it('has nothing of a write when the process died before it, and all of it after', async (test) => {
    const folder = await temporaryFolder();
    const script = `
      import { RecordStore } from ${JSON.stringify(new URL('../../../src/shard/store/record-store.js', import.meta.url).href)};
      const store = await RecordStore.open(${JSON.stringify(folder)}, 4, ${JSON.stringify(OPTIONS)});
      const change = (n) => ({ tieEntries: [], attributePages: [], journal: [],
        positions: [{ partition: 0, position: { sequence: n, generation: 0, log: '', journal: 0 } }],
        records: [{ partition: 0, tieKey: 1n, imageId: 'a', record: Buffer.from(String(n)) }] });
      for (let n = 1; ; n++) { await store.commit(change(n)); if (n === 20) { store.commit(change(21)); process.kill(process.pid, 'SIGKILL'); } }`;
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(signal, 'SIGKILL');
    const store = await openStore(test, folder);
    const [position] = await store.positions([0]);
    const [record] = await store.readRecords([{ partition: 0, tieKey: 1n, imageId: 'a' }]);
    assert.ok((position?.sequence ?? 0) >= 20);
    assert.equal(record?.toString(), String(position?.sequence));
    assert.ok((await readFile(path.join(folder, 'CURRENT'), 'utf8')).startsWith('MANIFEST'));
  });
});

describe('keys and values', () => {
  const anyTieKey = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  it('keeps the order (tie key, id) in the order of the bytes', () => {
    const place = fc.record({ tieKey: anyTieKey, id: fc.string({ minLength: 1, unit: 'binary' }) });
    fc.assert(
      fc.property(place, place, (a, b) => {
        const byTieKey = a.tieKey === b.tieKey ? 0 : a.tieKey < b.tieKey ? -1 : 1;
        const byId = Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
        const byKey = Buffer.compare(recordKey(1, a.tieKey, a.id), recordKey(1, b.tieKey, b.id));
        assert.equal(byKey, byTieKey === 0 ? byId : byTieKey);
      }),
    );
  });

  it('reads tie key and id back from keys', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_095 }),
        anyTieKey,
        fc.string({ unit: 'grapheme' }),
        (partition, tieKey, id) => {
          assert.equal(tieKeyOfTieEntryKey(tieEntryKey(partition, tieKey)), tieKey);
          assert.equal(idOfKey(recordKey(partition, tieKey, id)), id);
          assert.equal(idOfKey(frameKey(partition, 'base', id)), id);
          const { from, until } = tieEntryRange(partition);
          const key = tieEntryKey(partition, tieKey);
          assert.ok(Buffer.compare(from, key) <= 0 && Buffer.compare(key, until) < 0);
          const next = tieEntryKey(partition + 1, 0n);
          assert.ok(Buffer.compare(until, next) <= 0);
        },
      ),
    );
  });

  it('finds any single damaged byte of a sealed value', () => {
    const body = fc.uint8Array({ minLength: 0, maxLength: 60 });
    fc.assert(
      fc.property(body, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, at, damage) => {
        const sealed = sealValue(bytes);
        assert.deepEqual(unsealValue(sealed), Buffer.from(bytes));
        const place = at % sealed.length;
        sealed[place] = (sealed[place] as number) ^ damage;
        assert.throws(() => unsealValue(sealed), hasCode('CORRUPT_RECORD'));
      }),
    );
  });

  it('gives back tie entries, ids in the order of their bytes', () => {
    const revision = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
    const plain = { noNullPrototype: true };
    const live = fc.record(
      {
        revision,
        modelTag: anyTieKey,
        code: bytes(32),
        fineCode: bytes(64),
        attributes: fc.nat({ max: 2 ** 32 - 1 }),
        summary: bytes(300),
      },
      plain,
    );
    const state = fc.record(
      {
        imageId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
        removedBefore: revision,
        live: fc.option(live, { nil: undefined }),
      },
      plain,
    );
    const states = fc.uniqueArray(state, { selector: ({ imageId }) => imageId, maxLength: 4 });
    fc.assert(
      fc.property(states, (given) => {
        const sorted = [...given].sort((a, b) =>
          Buffer.compare(Buffer.from(a.imageId), Buffer.from(b.imageId)),
        );
        assert.deepEqual(decodeTieEntry(encodeTieEntry(given)), sorted);
      }),
    );
  });
});
