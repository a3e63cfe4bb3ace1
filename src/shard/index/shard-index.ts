import { assertCodeLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import { WorkerPool } from '../../runtime/worker-pool.js';
import { compileKernel, K_MAX } from '../kernel/kernel.js';
import { packedBytes } from './code-bytes.js';
import type {
  IndexChange,
  IndexHits,
  IndexQuery,
  IndexRow,
  PackedRows,
  ShardIndex,
  ShardIndexOptions,
  ShardIndexStats,
} from './index-api.js';
import { PartitionIndex } from './partition-index.js';
import { QueryQueue } from './query-queue.js';
import type { EveryWorkerTask, IndexTask, SearchTaskResult, SearchWorkerData } from './search-task.js';
import type { PreparedQuery } from './segment-reader.js';

export type * from './index-api.js';

/** Starts the search threads, warms the kernel up on each, and returns an empty index. */
export async function openShardIndex(options: ShardIndexOptions): Promise<ShardIndex> {
  const { codeBits, fineCodeBits, searchThreads } = options;
  if (codeBits < 8 || codeBits > 256) throw new RangeError('codeBits is 8 to 256');
  if (fineCodeBits !== 0 && (fineCodeBits < 8 || fineCodeBits > 512))
    throw new RangeError('fineCodeBits is 0, or 8 to 512');
  const workerData: SearchWorkerData = { kernel: await compileKernel(), codeBits, fineCodeBits };
  const pool = new WorkerPool<IndexTask, SearchTaskResult>({
    file: new URL('./search-worker.js', import.meta.url),
    threads: searchThreads,
    queueLengthMax: searchThreads,
    workerData,
  });
  const index = new WorkerShardIndex(options, pool);
  await index.onEveryWorker(true);
  return index;
}

class WorkerShardIndex implements ShardIndex {
  readonly #options: ShardIndexOptions;
  readonly #pool: WorkerPool<IndexTask, SearchTaskResult>;
  readonly #queue: QueryQueue;
  readonly #partitions = new Map<number, PartitionIndex>();
  #segmentIds = 0;
  #forgetting: Promise<void> | undefined;
  #closed = false;

  constructor(options: ShardIndexOptions, pool: WorkerPool<IndexTask, SearchTaskResult>) {
    this.#options = options;
    this.#pool = pool;
    const takeSnapshot = (partition: number) => this.#partitions.get(partition)?.snapshot();
    this.#queue = new QueryQueue(pool, takeSnapshot, options.queueLengthMax);
  }

  load(partition: number, rows: PackedRows): void {
    const { codeBits, fineCodeBits, searchThreads } = this.#options;
    const fits =
      rows.tieKeys.length >= rows.count &&
      rows.codes.length === rows.count * packedBytes(codeBits) &&
      rows.fineCodes.length === rows.count * packedBytes(fineCodeBits);
    if (!fits)
      throw new KinscanError(
        'INVALID_ARGUMENT',
        'the packed rows do not fit their count and the code lengths',
      );
    const options = {
      partition,
      codeBits,
      fineCodeBits,
      slots: searchThreads,
      nextSegmentId: () => ++this.#segmentIds,
      onSegmentReplaced: () => this.#forgetOldSegments(),
    };
    const isNew = !this.#partitions.has(partition);
    this.#partitions.set(partition, new PartitionIndex(options, rows));
    if (!isNew) this.#forgetOldSegments();
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
    if (this.#partitions.delete(partition)) this.#forgetOldSegments();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.drain();
    await this.#pool.close();
  }

  /** Runs a task on every search thread at once. */
  onEveryWorker(warmUp: boolean): Promise<void> {
    return this.#queue.whileIdle(async () => {
      const task: EveryWorkerTask = {
        kind: 'everyWorker',
        arrived: new Int32Array(new SharedArrayBuffer(4)),
        workers: this.#pool.threads,
        warmUp,
        live: Uint32Array.from([...this.#partitions.values()].map((p) => p.segmentId)),
      };
      await Promise.all(Array.from({ length: this.#pool.threads }, () => this.#pool.run(task)));
    });
  }

  // Lets the threads drop memory that no partition uses any more; several calls in a row are one round.
  #forgetOldSegments(): void {
    this.#forgetting ??= Promise.resolve()
      .then(() => (this.#closed ? undefined : this.onEveryWorker(false)))
      .catch(() => undefined) // a thread that died holds nothing
      .finally(() => (this.#forgetting = undefined));
  }

  #checkRow(row: IndexRow): void {
    const { codeBits, fineCodeBits } = this.#options;
    assertCodeLength(row.code, codeBits);
    this.#checkFineCode(row.fineCode, fineCodeBits);
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
    assertCodeLength(query.code, codeBits);
    const hasFineCode = query.fineCode !== undefined && query.fineCode.length > 0;
    if (hasFineCode) this.#checkFineCode(query.fineCode as Uint8Array, fineCodeBits);
    return {
      k: query.k,
      maxDistance: Math.min(maxDistance, codeBits),
      fine: query.ranking === 'FINE' && hasFineCode,
      code: wordPadded(query.code, codeBits),
      fineCode: wordPadded(query.fineCode ?? new Uint8Array(0), fineCodeBits),
    };
  }
}

const NO_ROWS: PackedRows = {
  count: 0,
  codes: new Uint8Array(0),
  tieKeys: new BigUint64Array(0),
  fineCodes: new Uint8Array(0),
};

function wordPadded(code: Uint8Array, bits: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bits / 64) * 8);
  padded.set(code);
  return padded;
}
