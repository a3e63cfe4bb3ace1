import type { ImageMetadata } from '../src/core/image-metadata.js';
import type { ImageRecord } from '../src/generated/kinscan/v1/ImageRecord.js';
import type { PackedRows } from '../src/shard/index/index-api.js';
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

const SLICES_PER_STUDY = 100;

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
  return {
    imageId,
    revision,
    modelVersion,
    code: { bits: codeOfImage(gallery, image), codeBits },
    ...(fineCodeBits > 0 && {
      fineCode: { bits: fineCodeOfImage(gallery, image), codeBits: fineCodeBits },
    }),
    metadata: metadataOfStudy(studyOfImage(image)),
  };
}

export function studyOfImage(image: number): number {
  return Math.floor(image / SLICES_PER_STUDY);
}

/** All images of a study are one series. */
export function metadataOfStudy(study: number): ImageMetadata {
  return {
    modality: 'CT',
    bodyPart: 'CHEST',
    studyInstanceUid: `2.25.${study}`,
    seriesInstanceUid: `2.25.${study}.1`,
    rows: 512,
    columns: 512,
    label: `class-${study % 10}`,
  };
}
