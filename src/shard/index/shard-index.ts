import { assertCodeLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import { WorkerPool } from '../../runtime/worker-pool.js';
import { compileKernel, K_MAX } from '../kernel/kernel.js';
import { allowedSetsOf } from './allowed-sets.js';
import { ATTRIBUTE_SETS_MAX, attributesEnd } from './attribute-capacity.js';
import { TABLE_CODES_MIN } from './chunk-plan.js';
import { packedBytes } from './code-bytes.js';
import type {
  IndexChange,
  IndexHits,
  IndexPlace,
  IndexQuery,
  IndexRow,
  PackedRows,
  PartitionLoad,
  RowBytes,
  ShardIndex,
  ShardIndexOptions,
  ShardIndexStats,
} from './index-api.js';
import { PartitionIndex } from './partition-index.js';
import { INLINE_ROWS_MAX, QueryQueue, SPLIT_CODES_MIN } from './query-queue.js';
import { DELTA_ROWS_MIN } from './build-segment.js';
import type { BuildResult, BuildTask } from './build-worker.js';
import { MemoryReserve } from './memory-reserve.js';
import { OneAtATime } from './one-at-a-time.js';
import type { IndexTask, SearchTaskResult, SearchWorkerData } from './search-task.js';
import type { PreparedQuery } from './segment-reader.js';
import { TaskRunner } from './task-runner.js';

export type * from './index-api.js';

/** Starts the search threads, warms the kernel up on each, and returns an empty index. */
export async function openShardIndex(options: ShardIndexOptions): Promise<ShardIndex> {
  const { codeBits, fineCodeBits, searchThreads } = options;
  if (codeBits < 8 || codeBits > 256) throw new RangeError('codeBits is 8 to 256');
  if (fineCodeBits !== 0 && (fineCodeBits < 8 || fineCodeBits > 512))
    throw new RangeError('fineCodeBits is 0, or 8 to 512');
  const workerData: SearchWorkerData = {
    kernel: await compileKernel(),
    codeBits,
    fineCodeBits,
    probe: options.tuning?.probe ?? 'auto',
  };
  const pool = new WorkerPool<IndexTask, SearchTaskResult>({
    file: new URL('./search-worker.js', import.meta.url),
    threads: searchThreads,
    queueLengthMax: searchThreads,
    workerData,
  });
  const builder = new WorkerPool<BuildTask, BuildResult>({
    file: new URL('./build-worker.js', import.meta.url),
    threads: 1,
    queueLengthMax: 1,
    idleTimeoutMs: 1_000, // the thread's working memory goes with it
  });
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const warmUps = Array.from({ length: searchThreads }, () =>
    pool.run({ kind: 'warmUp', arrived, threads: searchThreads }),
  );
  await Promise.all(warmUps);
  return new WorkerShardIndex(options, pool, builder, new TaskRunner(workerData));
}

class WorkerShardIndex implements ShardIndex {
  readonly #options: ShardIndexOptions;
  readonly #pool: WorkerPool<IndexTask, SearchTaskResult>;
  readonly #builder: WorkerPool<BuildTask, BuildResult>;
  readonly #queue: QueryQueue;
  readonly #reserve = new MemoryReserve();
  readonly #builds = new OneAtATime();
  readonly #partitions = new Map<number, PartitionIndex>();
  #segmentIds = 0;
  #closed = false;

  constructor(
    options: ShardIndexOptions,
    pool: WorkerPool<IndexTask, SearchTaskResult>,
    builder: WorkerPool<BuildTask, BuildResult>,
    inline: TaskRunner,
  ) {
    this.#options = options;
    this.#pool = pool;
    this.#builder = builder;
    const takeSnapshot = (partition: number) => this.#partitions.get(partition)?.snapshot();
    this.#queue = new QueryQueue(pool, inline, takeSnapshot, {
      queueLengthMax: options.queueLengthMax,
      splitCodesMin: options.tuning?.splitCodesMin ?? SPLIT_CODES_MIN,
      inlineRowsMax: options.tuning?.inlineRowsMax ?? INLINE_ROWS_MAX,
      inlineSlot: options.searchThreads,
    });
  }

  load(partition: number, rows: PackedRows): void {
    checkCounts(rows);
    const load = this.beginLoad(partition, {
      rows: rows.count,
      attributesEnd: attributesEnd(rows.attributes.subarray(0, rows.count)),
    });
    try {
      load.append(bytesOf(rows));
    } catch (error) {
      load.abandon();
      throw error;
    }
    load.done();
  }

  beginLoad(
    partition: number,
    room: { readonly rows: number; readonly attributesEnd: number },
  ): PartitionLoad {
    checkAttributes(room.attributesEnd - 1);
    const { codeBits, fineCodeBits, searchThreads, tuning } = this.#options;
    const options = {
      partition,
      codeBits,
      fineCodeBits,
      // the last one is the main thread's
      slots: searchThreads + 1,
      deltaRowsMin: tuning?.deltaRowsMin ?? DELTA_ROWS_MIN,
      tableCodesMin: tuning?.tableCodesMin ?? TABLE_CODES_MIN,
      nextSegmentId: () => ++this.#segmentIds,
      builder: this.#builder,
      builds: this.#builds,
      reserve: this.#reserve,
    };
    const loaded = new PartitionIndex(options, room);
    return {
      place: (first, count) => loaded.placeOf(first, count),
      append: (rows) => {
        checkFit(rows, this.#options);
        if (loaded.append(rows) > room.attributesEnd)
          throw new KinscanError('INVALID_ARGUMENT', 'more attribute sets than there is room for');
      },
      done: () => {
        this.drop(partition);
        this.#partitions.set(partition, loaded);
        loaded.start();
      },
      abandon: () => loaded.drop(),
    };
  }

  async apply(partition: number, changes: readonly IndexChange[]): Promise<void> {
    if (this.#closed) throw new KinscanError('DRAINING', 'the index is closed');
    for (const change of changes) this.#checkRow(change.kind === 'add' ? change.row : change);
    if (!this.#partitions.has(partition)) this.load(partition, NO_ROWS);
    await this.#partitions.get(partition)?.apply(changes);
  }

  async search(query: IndexQuery): Promise<IndexHits> {
    if (this.#closed) throw new KinscanError('DRAINING', 'the index is closed');
    return this.#queue.run(this.#prepare(query), query.partitions, query.signal);
  }

  stats(): ShardIndexStats {
    const partitions = this.partitions().map((p) => (this.#partitions.get(p) as PartitionIndex).stats());
    return {
      partitions,
      rows: partitions.reduce((sum, p) => sum + p.rows, 0),
      usedBytes: partitions.reduce((sum, p) => sum + p.usedBytes, 0),
      queuedQueries: this.#queue.waitingCount,
      runningQueries: this.#queue.runningCount,
    };
  }

  partitions(): readonly number[] {
    return [...this.#partitions.keys()].sort((a, b) => a - b);
  }

  drop(partition: number): void {
    this.#partitions.get(partition)?.drop();
    this.#partitions.delete(partition);
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#partitions.values()].map((partition) => partition.settled()));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.drain();
    await Promise.all([...this.#partitions.values()].map((partition) => partition.close()));
    await Promise.all([this.#pool.close(), this.#builder.close()]);
  }

  #checkRow(row: IndexRow): void {
    const { codeBits, fineCodeBits } = this.#options;
    assertCodeLength(row.code, codeBits);
    this.#checkFineCode(row.fineCode, fineCodeBits);
    checkAttributes(row.attributes);
  }

  #checkFineCode(fineCode: Uint8Array, fineCodeBits: number): void {
    if (fineCodeBits > 0) assertCodeLength(fineCode, fineCodeBits);
    else if (fineCode.length > 0)
      throw new KinscanError('CODE_LENGTH_MISMATCH', 'this index has no fine codes');
  }

  #prepare(query: IndexQuery): PreparedQuery {
    const { codeBits, fineCodeBits } = this.#options;
    if (!Number.isInteger(query.k) || query.k < 1 || query.k > K_MAX) {
      throw new KinscanError('INVALID_K', `k is between 1 and ${K_MAX}`);
    }
    const maxDistance = query.maxDistance ?? codeBits;
    if (!Number.isInteger(maxDistance) || maxDistance < 0) {
      throw new KinscanError('INVALID_ARGUMENT', 'maxDistance is a whole number of bits');
    }
    if (new Set(query.partitions).size !== query.partitions.length) {
      throw new KinscanError('INVALID_ARGUMENT', 'a partition is named twice');
    }
    if (query.filter !== undefined && !(Number.isInteger(query.filter.sets) && query.filter.sets >= 0)) {
      throw new KinscanError('INVALID_ARGUMENT', 'the sets of a filter are counted by a whole number');
    }
    if (query.after !== undefined) checkPlace(query.after);
    assertCodeLength(query.code, codeBits);
    const hasFineCode = query.fineCode !== undefined && query.fineCode.length > 0;
    if (hasFineCode) this.#checkFineCode(query.fineCode, fineCodeBits);
    return {
      k: query.k,
      maxDistance: Math.min(maxDistance, codeBits),
      fine: query.ranking === 'FINE' && hasFineCode,
      code: wordPadded(query.code, codeBits),
      fineCode: wordPadded(query.fineCode ?? new Uint8Array(0), fineCodeBits),
      allowed: query.filter && allowedSetsOf(query.filter),
      after: query.after,
    };
  }
}

const NO_ROWS: PackedRows = {
  count: 0,
  codes: new Uint8Array(0),
  tieKeys: new BigUint64Array(0),
  fineCodes: new Uint8Array(0),
  attributes: new Uint32Array(0),
};

function checkAttributes(set: number): void {
  if (!Number.isInteger(set) || set < 0 || set >= ATTRIBUTE_SETS_MAX) {
    throw new KinscanError('INVALID_ARGUMENT', `an attribute set has a number below ${ATTRIBUTE_SETS_MAX}`);
  }
}

function checkPlace({ distance, fineDistance, tieKey }: IndexPlace): void {
  const areDistances = [distance, fineDistance].every((d) => Number.isInteger(d) && d >= 0 && d < 65_535);
  if (!areDistances || tieKey < 0n || tieKey >= 1n << 64n) {
    throw new KinscanError('INVALID_ARGUMENT', 'a place has two distances in bits and a 64-bit tie key');
  }
}

function checkFit(
  { count, ...rows }: RowBytes,
  { codeBits, fineCodeBits }: Pick<ShardIndexOptions, 'codeBits' | 'fineCodeBits'>,
): void {
  const fits =
    rows.tieKeys.length === count * 8 &&
    rows.attributes.length === count * 4 &&
    rows.codes.length === count * packedBytes(codeBits) &&
    rows.fineCodes.length === count * packedBytes(fineCodeBits);
  if (!fits) throw misfit();
}

function checkCounts({ count, tieKeys, attributes }: PackedRows): void {
  if (tieKeys.length < count || attributes.length < count) throw misfit();
}

function misfit(): KinscanError {
  return new KinscanError('INVALID_ARGUMENT', 'the packed rows do not fit their count and the code lengths');
}

function bytesOf({ count, tieKeys, attributes, codes, fineCodes }: PackedRows): RowBytes {
  return {
    ...{ count, codes, fineCodes },
    tieKeys: new Uint8Array(tieKeys.buffer, tieKeys.byteOffset, count * 8),
    attributes: new Uint8Array(attributes.buffer, attributes.byteOffset, count * 4),
  };
}

function wordPadded(code: Uint8Array, bits: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bits / 64) * 8);
  padded.set(code);
  return padded;
}
