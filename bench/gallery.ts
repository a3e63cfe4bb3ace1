import { partitionsOf, spreadPartitions } from '../src/core/placement.js';
import { partitionOf, tieKeyOf } from '../src/core/tie-key.js';
import type { ImageRecord, ImageRecord__Output } from '../src/generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../src/runtime/proto.js';
import type { PackedRows } from '../src/shard/index/index-api.js';
import { RecordStore } from '../src/shard/store/record-store.js';
import { modelTagOf } from '../src/shard/store/tie-entry.js';
import { makeCodeSet, type CodeDistribution } from './code-set.js';

export interface GalleryOptions {
  readonly images: number;
  /** Multiple of 8. */
  readonly codeBits: number;
  /** Multiple of 8; 0: none. */
  readonly fineCodeBits: number;
  readonly distribution: CodeDistribution;
  readonly seed: number;
  readonly modelVersion: string;
  /** A power of two. */
  readonly partitions: number;
}

/** A made-up archive: codes as `distribution` says, ids and metadata as of CT slices; no embeddings and no thumbnails. */
export interface Gallery {
  readonly options: GalleryOptions;
  /** Of image i: codes and fine codes, shape [images][bytes]. */
  readonly rows: PackedRows;
}

/** A shard server whose data folder is to be written. */
export interface ShardFolder {
  readonly id: string;
  readonly folder: string;
}

const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');
/** Images written with one synchronous write. */
const BATCH_IMAGES = 20_000;
const SLICES_PER_STUDY = 100;
const STORE_OPTIONS = { cacheBytes: 16 * 1024 * 1024, writeBufferBytes: 64 * 1024 * 1024 } as const;

export function makeGallery(options: GalleryOptions): Gallery {
  const [rows] = makeCodeSet({ ...options, rows: options.images, partitions: 1 });
  return { options, rows: rows as PackedRows };
}

export function galleryImageId(image: number): string {
  return `image-${image}`;
}

export function codeOfImage({ rows, options: { codeBits } }: Gallery, image: number): Uint8Array {
  return rows.codes.subarray((image * codeBits) / 8, ((image + 1) * codeBits) / 8);
}

export function fineCodeOfImage({ rows, options: { fineCodeBits } }: Gallery, image: number): Uint8Array {
  return rows.fineCodes.subarray((image * fineCodeBits) / 8, ((image + 1) * fineCodeBits) / 8);
}

/** The record of image i as an encoder would publish it, under an id of the caller's. */
export function recordOfImage(
  gallery: Gallery,
  image: number,
  { imageId, revision }: { readonly imageId: string; readonly revision: number },
): ImageRecord {
  const { codeBits, fineCodeBits, modelVersion } = gallery.options;
  const study = Math.floor(image / SLICES_PER_STUDY);
  return {
    imageId,
    revision,
    modelVersion,
    code: { bits: codeOfImage(gallery, image), codeBits },
    ...(fineCodeBits > 0 && {
      fineCode: { bits: fineCodeOfImage(gallery, image), codeBits: fineCodeBits },
    }),
    metadata: {
      modality: 'CT',
      bodyPart: 'CHEST',
      studyInstanceUid: `2.25.${study}`,
      seriesInstanceUid: `2.25.${study}.1`,
      rows: 512,
      columns: 512,
      label: `class-${study % 10}`,
    },
  };
}

/**
 * Writes the data folders of shard servers that have never followed a log, as their own store code does. The placement
 * is the one that a coordinator makes for these ids.
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
      for (const partition of partitionsOf(placement, id)) {
        const members = byPartition[partition] as Uint32Array;
        await writePartition(store, gallery, { partition, members, tieKeys });
        onProgress((written += members.length));
      }
    } finally {
      await store.close();
    }
  }
}

interface PartitionMembers {
  readonly partition: number;
  /** Image numbers, tie keys ascending. */
  readonly members: Uint32Array;
  readonly tieKeys: BigUint64Array;
}

/** First all tie entries, then all records, each in the order of its keys: what is written in order is never merged. */
async function writePartition(
  store: RecordStore,
  gallery: Gallery,
  { partition, members, tieKeys }: PartitionMembers,
): Promise<void> {
  const modelTag = modelTagOf(gallery.options.modelVersion);
  for (const batch of batches(members)) {
    const tieEntries = batch.map((image) => ({
      partition,
      tieKey: tieKeys[image] as bigint,
      states: [
        {
          imageId: galleryImageId(image),
          removedBefore: 0,
          live: {
            revision: image + 1,
            modelTag,
            code: codeOfImage(gallery, image),
            fineCode: fineCodeOfImage(gallery, image),
          },
        },
      ],
    }));
    await store.commit({ tieEntries, records: [], positions: [] });
  }
  for (const batch of batches(members)) {
    const records = batch.map((image) => {
      const imageId = galleryImageId(image);
      const record = recordCodec.encode(recordOfImage(gallery, image, { imageId, revision: image + 1 }));
      return { partition, tieKey: tieKeys[image] as bigint, imageId, record };
    });
    await store.commit({ tieEntries: [], records, positions: [] });
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
