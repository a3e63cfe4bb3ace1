import type { ImageMetadata } from '../core/image-metadata.js';
import type { GrayFrame } from './gray-frame.js';
import type { ImageFormat } from './image-format.js';

export interface DecodedFrame {
  readonly frame: GrayFrame;
  readonly metadata: ImageMetadata;
}

/** An image whose header has been checked. Frames are decoded one at a time, so that memory stays that of one frame. */
export interface OpenImage {
  readonly format: ImageFormat;
  /** 1, or a DICOM file's number of frames. */
  readonly frameCount: number;
  /**
   * @param index 0 to frameCount - 1
   * @throws KinscanError CORRUPT_IMAGE and the other codes of openImage that only decoding reveals
   */
  readFrame(index: number): Promise<DecodedFrame>;
}
