/** What the imaging code refuses before it spends memory or time on it. */
export interface ImageLimits {
  /** Length of the file. */
  readonly bytesMax: number;
  /** Width times height of one frame, as the header declares it; checked before anything is decoded. */
  readonly pixelsMax: number;
  /** Frames of one DICOM file. */
  readonly framesMax: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = Object.freeze({
  bytesMax: 64 * 1024 * 1024,
  pixelsMax: 100_000_000,
  framesMax: 10_000,
});
