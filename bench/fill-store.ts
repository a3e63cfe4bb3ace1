import { partitionOf, tieKeyOf } from '../src/core/tie-key.js';
import type { ModelSettings } from '../src/runtime/cluster-state.js';
import { AttributeNumbers } from '../src/shard/apply/attribute-numbers.js';
import { BlobCompactor, JOURNAL_LIMITS, type JournalLimits } from '../src/shard/apply/blob-compactor.js';
import { rowKindOf, type PartitionBlobs } from '../src/shard/apply/partition-loader.js';
import { packAttributes } from '../src/shard/attributes/attribute-set.js';
import { noBlobs } from '../src/shard/store/blob-store.js';
import { RecordStore, type StoreChange } from '../src/shard/store/record-store.js';
import type { StoredRow } from '../src/shard/store/row-builder.js';
import { BenchRandom } from './code-set.js';

export interface FillOptions {
  readonly dataDir: string;
  readonly rows: number;
  readonly partitions: number;
  readonly model: ModelSettings;
  /** Bytes of each image's record: random, as a thumbnail is. */
  readonly recordBytes: number;
  readonly seed: number;
}

/** Images of one series: as many share an attribute set. */
const IMAGES_PER_SERIES = 100;
const BULK_BATCH = 2_000;
/** As a shard server applies the log. */
const LIVE_BATCH = 256;
/** The last images come in batches as a shard server writes them and stay in the journal: half of what it may hold. */
const LIVE_SHARE = 1 / 32;
/** While filling, blobs are written less often than in service. */
const BULK_LIMITS: JournalLimits = { entriesMax: Infinity, rowsMin: 65_536, rowsShare: 1 };

/**
 * Fills the store of a shard server through its own code: records, tie entries, attribute sets, journal and blobs. Only
 * the last write is waited for to be on disk.
 */
export async function fillStore(options: FillOptions): Promise<void> {
  const { dataDir, rows, partitions, model } = options;
  const store = await RecordStore.open(dataDir, partitions, {
    cacheBytes: 64 << 20,
    writeBufferBytes: 64 << 20,
  });
  const filler = new StoreFiller(options, store, await AttributeNumbers.load(store));
  const kind = rowKindOf(model);
  const bulkRows = Math.floor(rows * (1 - LIVE_SHARE));
  const failed: unknown[] = [];
  const compact = async (limits: JournalLimits) => {
    const compactor = new BlobCompactor({
      ...{ store, kind, limits, exclusively: (task) => task() },
      events: {
        onLoaded: () => undefined,
        onCompacted: () => undefined,
        onDamaged: (_, error) => failed.push(error),
        onFailed: (_, error) => failed.push(error),
      },
    });
    for (const [partition, blobs] of filler.blobs.entries()) compactor.consider(partition, blobs);
    await compactor.settled();
    if (failed.length > 0) throw failed[0];
  };
  for (let from = 0; from < bulkRows; from += BULK_BATCH) {
    await filler.write(from, Math.min(bulkRows, from + BULK_BATCH), 'later');
    await compact(BULK_LIMITS);
  }
  await compact({ entriesMax: 0, rowsMin: 0, rowsShare: 0 });
  for (let from = bulkRows; from < rows; from += LIVE_BATCH) {
    await filler.write(from, Math.min(rows, from + LIVE_BATCH), from + LIVE_BATCH < rows ? 'later' : 'now');
  }
  await compact(JOURNAL_LIMITS);
  await store.close();
}

class StoreFiller {
  readonly blobs: PartitionBlobs[];
  readonly #options: FillOptions;
  readonly #store: RecordStore;
  readonly #attributes: AttributeNumbers;
  readonly #random: BenchRandom;
  /** Records are cut from it. */
  readonly #pool: Uint8Array;
  #series = 0;

  constructor(options: FillOptions, store: RecordStore, attributes: AttributeNumbers) {
    const modelTag = rowKindOf(options.model).modelTag.toString(16);
    this.#options = options;
    this.#store = store;
    this.#attributes = attributes;
    this.#random = new BenchRandom(options.seed);
    this.#pool = this.#random.bytes(2 ** 22);
    this.blobs = Array.from({ length: options.partitions }, () => ({
      manifest: noBlobs(modelTag),
      journal: 0,
      journalRows: 0,
    }));
  }

  /** Writes images `from` to below `to` as one batch. */
  async write(from: number, to: number, when: 'now' | 'later'): Promise<void> {
    const { partitions, model } = this.#options;
    const { modelTag, widths } = rowKindOf(model);
    const tieEntries: StoreChange['tieEntries'][number][] = [];
    const records: StoreChange['records'][number][] = [];
    const added = Array.from({ length: partitions }, (): StoredRow[] => []);
    for (let image = from; image < to; image++) {
      const { imageId, row, record } = this.#image(image);
      const partition = partitionOf(row.tieKey, partitions);
      const live = { ...row, revision: image + 1, modelTag, summary: record };
      const ref = { partition, tieKey: row.tieKey };
      tieEntries.push({ ...ref, states: [{ imageId, removedBefore: 0, live }] });
      records.push({ ...ref, imageId, record });
      added[partition]?.push(row);
    }
    const journal = added.flatMap((rows, partition) => {
      const blobs = this.blobs[partition] as PartitionBlobs;
      if (rows.length === 0) return [];
      blobs.journalRows += rows.length;
      const changes = { modelTag, foreignCountChange: 0, removed: [], added: rows };
      return [{ partition, number: ++blobs.journal, widths, changes }];
    });
    const positions = this.blobs.map(({ journal: last }, partition) => ({
      partition,
      position: { sequence: 0, generation: 0, log: '', journal: last },
    }));
    const attributePages = this.#attributes.pagesToStore();
    await this.#store.commit({ tieEntries, records, journal, positions, attributePages }, when);
    this.#attributes.setStored(this.#attributes.table.size);
  }

  #image(image: number) {
    const { model, recordBytes } = this.#options;
    const imageId = `1.2.826.0.1.3680043.8.498.${image}`;
    if (image % IMAGES_PER_SERIES === 0) {
      const metadata = { modality: 'CT', seriesInstanceUid: `1.2.826.0.1.${image}` };
      this.#series = this.#attributes.intern(packAttributes(metadata));
    }
    const recordAt = this.#random.u32() % (this.#pool.length - recordBytes);
    const row: StoredRow = {
      tieKey: tieKeyOf(imageId),
      code: this.#random.bytes(model.codeBits / 8),
      fineCode: this.#random.bytes(model.fineCodeBits / 8),
      attributes: this.#series,
    };
    return { imageId, row, record: this.#pool.subarray(recordAt, recordAt + recordBytes) };
  }
}
