import type { ErrorCode } from '../core/errors.js';
import type { ImageMetadata } from '../core/image-metadata.js';
import type { ImageLimits } from '../imaging/image-limits.js';

/** What a decode thread is started with. */
export interface DecodeSettings {
  readonly limits: ImageLimits;
  /** Side of the network's square input, in pixels. */
  readonly inputSize: number;
  /** Longer side of a thumbnail, in pixels. */
  readonly thumbnailEdgeMaxPixels: number;
  /** Secret; empty: no patient hashes are made. */
  readonly patientHashKey: string;
}

/** Some frames of one file. */
export interface DecodeRequest {
  /** The whole file. */
  readonly bytes: Uint8Array;
  /** 0-based. */
  readonly firstFrame: number;
  /** At most so many frames from there on; fewer where the file ends before. */
  readonly framesMax: number;
  readonly withThumbnails: boolean;
}

export interface DecodedImage {
  /** Shape [inputSize, inputSize], 0 to 1. */
  readonly pixels: Float32Array;
  /** JPEG; empty where none was asked for. */
  readonly thumbnail: Uint8Array;
  /** What the file itself says, by allow-list. */
  readonly metadata: ImageMetadata;
}

export interface DecodedFile {
  readonly images: readonly DecodedImage[];
  /** Frames in the file. */
  readonly frameCount: number;
}

/** Errors cross threads as data: structured cloning would strip a KinscanError of its code. */
export interface DecodeFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

export type DecodeOutcome = DecodedFile | DecodeFailure;
