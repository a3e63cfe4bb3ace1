/** A gray image. */
export interface GrayFrame {
  readonly width: number;
  readonly height: number;
  /** shape [height, width], row-major; 0 (black) to 1 (white). */
  readonly pixels: Float32Array;
}
