import { spreadPartitions } from '../../../src/core/placement.js';
import type { IndexChange, IndexRow } from '../../../src/shard/index/index-api.js';
import type { ShardIndex } from '../../../src/shard/index/shard-index.js';
import { DISTRIBUTIONS, RowSource, type SeededRandom } from './random-rows.js';
import { packRows } from './reference-index.js';

const PARTITIONS_MAX = 16;
/** Changes of one apply call, at most. */
const CHANGES_MAX = 200;

/** A made-up gallery, spread over some of the given indexes, and the same rows in a plain array. */
export class RandomGallery {
  readonly rows: { readonly partition: number; readonly row: IndexRow }[] = [];
  readonly source: RowSource;
  readonly #random: SeededRandom;
  /** By partition. */
  readonly #hosts: ShardIndex[];

  constructor(random: SeededRandom, indexes: readonly ShardIndex[], codeBits: number, fineCodeBits: number) {
    this.#random = random;
    this.source = new RowSource(random, codeBits, fineCodeBits, random.pick(DISTRIBUTIONS));
    const used = shuffled(random, indexes).slice(0, 1 + random.below(indexes.length));
    const { replicas } = spreadPartitions(
      used.map((_, i) => `server ${i}`),
      1 + random.below(PARTITIONS_MAX),
    );
    this.#hosts = replicas.map(([id]) => used[Number(id?.slice('server '.length))] as ShardIndex);
  }

  /** The indexes that hold something. */
  get indexes(): ShardIndex[] {
    return [...new Set(this.#hosts)];
  }

  /** Some rows are there when a partition is loaded, the others are added in another order. */
  async fill(): Promise<void> {
    const random = this.#random;
    const rowCount = random.pick([0, 1, random.below(50), random.below(500), random.below(5_001)]);
    for (let i = 0; i < rowCount; i++) {
      const partition = random.below(this.#hosts.length);
      this.rows.push({ partition, row: this.source.row(partition) });
    }
    const loaded = shuffled(random, this.rows);
    const added = loaded.splice(random.pick([0, loaded.length, random.below(loaded.length + 1)]));
    for (const [partition, host] of this.#hosts.entries()) {
      host.load(partition, packRows(loaded.filter((entry) => entry.partition === partition).map(rowOf)));
    }
    while (added.length > 0) {
      const batch = added.splice(0, 1 + random.below(CHANGES_MAX * 5));
      await this.#apply(batch.map(({ partition, row }) => ({ partition, change: { kind: 'add', row } })));
    }
  }

  /** Adds, deletes and upserts. */
  async change(): Promise<void> {
    const random = this.#random;
    const changes: PlacedChange[] = [];
    for (let i = random.below(CHANGES_MAX); i > 0; i--) {
      let partition = random.below(this.#hosts.length);
      let tieKey: bigint | undefined;
      if (this.rows.length > 0 && random.below(3) > 0) {
        const [old] = this.rows.splice(random.below(this.rows.length), 1) as [(typeof this.rows)[0]];
        partition = old.partition;
        changes.push({ partition, change: { kind: 'remove', ...old.row } });
        if (random.below(2) === 0) continue;
        tieKey = old.row.tieKey;
      }
      const fresh = this.source.row(partition);
      const row = tieKey === undefined ? fresh : { ...fresh, tieKey };
      changes.push({ partition, change: { kind: 'add', row } });
      this.rows.push({ partition, row });
    }
    await this.#apply(changes);
  }

  /** Waits until nothing is being rebuilt. */
  async settle(): Promise<void> {
    for (const index of this.indexes) await index.settled();
  }

  drop(): void {
    for (const [partition, host] of this.#hosts.entries()) host.drop(partition);
  }

  async #apply(changes: readonly PlacedChange[]): Promise<void> {
    await Promise.all(
      this.#hosts.map((host, partition) => {
        const own = changes.filter((change) => change.partition === partition);
        return own.length === 0
          ? Promise.resolve()
          : host.apply(
              partition,
              own.map(({ change }) => change),
            );
      }),
    );
  }
}

interface PlacedChange {
  readonly partition: number;
  readonly change: IndexChange;
}

function rowOf({ row }: { readonly row: IndexRow }): IndexRow {
  return row;
}

function shuffled<T>(random: SeededRandom, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
  }
  return mixed;
}
