import type { ImageMetadata } from '../core/image-metadata.js';
import type { GrayFrame } from './gray-frame.js';
import type { ImageFormat } from './image-format.js';

export interface DecodedFrame {
  readonly frame: GrayFrame;
  readonly metadata: ImageMetadata;
}

/**
 * An image ready to be decoded, one frame at a time, so that memory stays that of one frame. A DICOM header has been
 * checked; other formats are checked as the frame is read, since opening them twice would cost a third of the time.
 */
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
