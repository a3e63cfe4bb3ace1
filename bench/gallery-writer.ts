import { partitionsOf, spreadPartitions } from '../src/core/placement.js';
import { partitionOf, tieKeyOf } from '../src/core/tie-key.js';
import type { ImageRecord, ImageRecord__Output } from '../src/generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../src/runtime/proto.js';
import { AttributeNumbers } from '../src/shard/apply/attribute-numbers.js';
import { BlobCompactor, JOURNAL_LIMITS } from '../src/shard/apply/blob-compactor.js';
import { rowKindOf } from '../src/shard/apply/partition-loader.js';
import { packAttributes } from '../src/shard/attributes/attribute-set.js';
import { noBlobs, type RowKind } from '../src/shard/store/blob-store.js';
import { NO_CHANGE, POSITION_START, RecordStore } from '../src/shard/store/record-store.js';
import { summaryOf } from '../src/shard/store/record-summary.js';
import {
  codeOfImage,
  fineCodeOfImage,
  galleryImageId,
  metadataOfStudy,
  recordOfImage,
  studyOfImage,
  type Gallery,
} from './gallery.js';

/** A shard server whose data folder is to be written. */
export interface ShardFolder {
  readonly id: string;
  readonly folder: string;
}

const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');
/** Images written with one synchronous write. */
const BATCH_IMAGES = 20_000;
const STORE_OPTIONS = { cacheBytes: 16 * 1024 * 1024, writeBufferBytes: 64 * 1024 * 1024 } as const;

/**
 * Writes the data folders of shard servers that have never followed a log, with their own store code, as they would have
 * written them batch by batch. The placement is the one that a coordinator makes for these ids.
 */
export async function writeGallery(
  gallery: Gallery,
  shardFolders: readonly ShardFolder[],
  onProgress: (images: number) => void = () => undefined,
): Promise<void> {
  const { images, partitions } = gallery.options;
  const tieKeys = BigUint64Array.from({ length: images }, (_, image) => tieKeyOf(galleryImageId(image)));
  const byPartition = imagesByPartition(tieKeys, partitions);
  const ids = shardFolders.map(({ id }) => id);
  const placement = spreadPartitions(ids, partitions);
  let written = 0;
  for (const { id, folder } of shardFolders) {
    const store = await RecordStore.open(folder, partitions, STORE_OPTIONS);
    try {
      const writer = new StoreWriter(store, gallery, tieKeys);
      for (const partition of partitionsOf(placement, id)) {
        const members = byPartition[partition] as Uint32Array;
        await writer.writePartition(partition, members);
        onProgress((written += members.length));
      }
    } finally {
      await store.close();
    }
  }
}

class StoreWriter {
  readonly #store: RecordStore;
  readonly #gallery: Gallery;
  readonly #tieKeys: BigUint64Array;
  readonly #kind: RowKind;
  readonly #compactor: BlobCompactor;
  readonly #attributes = new AttributeNumbers();
  readonly #attributesOfStudy = new Map<number, number>();

  constructor(store: RecordStore, gallery: Gallery, tieKeys: BigUint64Array) {
    this.#store = store;
    this.#gallery = gallery;
    this.#tieKeys = tieKeys;
    this.#kind = rowKindOf(gallery.options);
    const ignore = () => undefined;
    const fail = (_: number, error: unknown) => {
      throw error;
    };
    this.#compactor = new BlobCompactor({
      ...{ store, kind: this.#kind, limits: JOURNAL_LIMITS, exclusively: (task) => task() },
      events: { onDamaged: fail, onFailed: fail, onLoaded: ignore, onCompacted: ignore },
    });
  }

  /**
   * First all tie entries and their journal, then all records, each in the order of its keys: what is written in order
   * RocksDB never merges. Then the blobs.
   * @param members image numbers, tie keys ascending
   */
  async writePartition(partition: number, members: Uint32Array): Promise<void> {
    let journal = 0;
    for (const batch of batches(members)) await this.#commitRows(partition, batch, ++journal);
    for (const batch of batches(members)) {
      const records = batch.map((image) => this.#recordOf(partition, image));
      await this.#store.commit({ ...NO_CHANGE, records });
    }
    const manifest = noBlobs(this.#kind.modelTag.toString(16));
    this.#compactor.consider(partition, { manifest, journal, journalRows: members.length });
    await this.#compactor.settled();
  }

  async #commitRows(partition: number, batch: readonly number[], number: number): Promise<void> {
    const { modelTag, widths } = this.#kind;
    const added = batch.map((image) => ({
      tieKey: this.#tieKeys[image] as bigint,
      code: codeOfImage(this.#gallery, image),
      fineCode: fineCodeOfImage(this.#gallery, image),
      attributes: this.#attributesOf(studyOfImage(image)),
    }));
    const tieEntries = batch.map((image, i) => {
      const { tieKey, ...codes } = added[i] as (typeof added)[number];
      const summary = summaryOf(this.#recordOf(partition, image).record);
      const live = { ...codes, revision: image + 1, modelTag, summary };
      return { partition, tieKey, states: [{ imageId: galleryImageId(image), removedBefore: 0, live }] };
    });
    await this.#store.commit({
      ...NO_CHANGE,
      tieEntries,
      positions: [{ partition, position: { ...POSITION_START, journal: number } }],
      journal: [
        { partition, number, widths, changes: { modelTag, foreignCountChange: 0, removed: [], added } },
      ],
      attributePages: this.#attributes.pagesToStore(),
    });
    this.#attributes.setStored(this.#attributes.table.size);
  }

  #recordOf(partition: number, image: number) {
    const imageId = galleryImageId(image);
    const record = recordCodec.encode(recordOfImage(this.#gallery, image, { imageId, revision: image + 1 }));
    return { partition, tieKey: this.#tieKeys[image] as bigint, imageId, record };
  }

  #attributesOf(study: number): number {
    let attributes = this.#attributesOfStudy.get(study);
    if (attributes === undefined) {
      attributes = this.#attributes.intern(packAttributes(metadataOfStudy(study)));
      this.#attributesOfStudy.set(study, attributes);
    }
    return attributes;
  }
}

function* batches(members: Uint32Array): Generator<number[]> {
  for (let from = 0; from < members.length; from += BATCH_IMAGES) {
    yield [...members.subarray(from, from + BATCH_IMAGES)];
  }
}

/**
 * Image numbers by partition, in the order of their tie keys. (Keys that agree in their first 26 bits or more may stand
 * the other way round: it is only for speed.)
 */
function imagesByPartition(tieKeys: BigUint64Array, partitions: number): Uint32Array[] {
  const imageBits = Math.ceil(Math.log2(tieKeys.length + 1));
  const [imageSpan, keySpan] = [2 ** imageBits, 2 ** Math.max(0, imageBits - 21)];
  const words = new Uint32Array(tieKeys.buffer);
  // the key's first bits above the image number: whole numbers below 2^53
  const sorted = Float64Array.from(
    { length: tieKeys.length },
    (_, image) => Math.floor((words[2 * image + 1] as number) / keySpan) * imageSpan + image,
  ).sort();
  const images = Uint32Array.from(sorted, (key) => key % imageSpan);
  const starts = Array.from({ length: partitions + 1 }, () => images.length);
  for (let at = images.length - 1; at >= 0; at--) {
    starts[partitionOf(tieKeys[images[at] as number] as bigint, partitions)] = at;
  }
  for (let partition = partitions - 1; partition >= 0; partition--) {
    starts[partition] = Math.min(starts[partition] as number, starts[partition + 1] as number);
  }
  return Array.from({ length: partitions }, (_, partition) =>
    images.subarray(starts[partition], starts[partition + 1]),
  );
}
