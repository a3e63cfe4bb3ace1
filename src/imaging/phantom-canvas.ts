/** How the body lies in the picture. */
export interface Pose {
  /** radians, clockwise */
  readonly angle: number;
  readonly scale: number;
  /** Width against height, 1 for none. */
  readonly stretch: number;
  /** In half pictures: 1 moves from the middle to the edge. */
  readonly shiftX: number;
  readonly shiftY: number;
  readonly mirrored: boolean;
}

export interface Ellipse {
  readonly x: number;
  readonly y: number;
  readonly radiusX: number;
  readonly radiusY: number;
  /** radians, clockwise; 0 where absent */
  readonly angle?: number;
}

/** A line with round ends, as thick as radius at its ends; the middle is thinner by the waist (0 none, 1 all). */
export interface Bar {
  readonly fromX: number;
  readonly fromY: number;
  readonly toX: number;
  readonly toY: number;
  readonly radius: number;
  readonly waist?: number;
}

/**
 * A square of gray in body coordinates: x to the right and y down, both -1 to 1 before the pose turns, scales and moves
 * them. Shapes are painted one over the other, with soft edges about a pixel and a half wide.
 */
export class Canvas {
  /** shape [size, size], row-major; 0 (black) to 1 (white). */
  readonly pixels: Float32Array;
  readonly #size: number;
  readonly #pose: Pose;
  readonly #cosine: number;
  readonly #sine: number;
  /** Width of a soft edge in body coordinates. */
  readonly #softness: number;

  constructor(size: number, pose: Pose) {
    this.pixels = new Float32Array(size * size);
    this.#size = size;
    this.#pose = pose;
    this.#cosine = Math.cos(pose.angle);
    this.#sine = Math.sin(pose.angle);
    this.#softness = 3 / size;
  }

  /** Paints an ellipse of one gray; @param opacity 0 (nothing) to 1 */
  ellipse(shape: Ellipse, gray: number, opacity = 1): void {
    const cosine = Math.cos(shape.angle ?? 0);
    const sine = Math.sin(shape.angle ?? 0);
    const edge = this.#softness / Math.min(shape.radiusX, shape.radiusY);
    const reach = Math.max(shape.radiusX, shape.radiusY) * (1 + edge / 2);
    this.#paint(shape.x, shape.y, reach, gray, opacity, (bodyX, bodyY) => {
      const x = bodyX - shape.x;
      const y = bodyY - shape.y;
      const radius = length((x * cosine + y * sine) / shape.radiusX, (y * cosine - x * sine) / shape.radiusY);
      return (1 - radius) / edge + 0.5;
    });
  }

  /** An ellipse with a rim of another gray, as thick as `rim` (body coordinates). */
  shell(shape: Ellipse, rimGray: number, rim: number, innerGray: number): void {
    this.ellipse(shape, rimGray);
    const inner = { ...shape, radiusX: shape.radiusX - rim, radiusY: shape.radiusY - rim };
    this.ellipse(inner, innerGray);
  }

  bar(shape: Bar, gray: number, opacity = 1): void {
    const lengthX = shape.toX - shape.fromX;
    const lengthY = shape.toY - shape.fromY;
    const lengthSquared = lengthX * lengthX + lengthY * lengthY;
    const middleX = (shape.fromX + shape.toX) / 2;
    const middleY = (shape.fromY + shape.toY) / 2;
    const reach = length(lengthX, lengthY) / 2 + shape.radius + this.#softness;
    this.#paint(middleX, middleY, reach, gray, opacity, (bodyX, bodyY) => {
      const along = ((bodyX - shape.fromX) * lengthX + (bodyY - shape.fromY) * lengthY) / lengthSquared;
      const at = Math.min(1, Math.max(0, along));
      const distance = length(bodyX - shape.fromX - at * lengthX, bodyY - shape.fromY - at * lengthY);
      const radius = shape.radius * (1 - (shape.waist ?? 0) * 4 * at * (1 - at));
      return (radius - distance) / this.#softness + 0.5;
    });
  }

  /** A bone seen from the side: a bright rim and a paler inside. */
  bone(shape: Bar, rimGray: number, innerGray: number): void {
    this.bar(shape, rimGray);
    this.bar({ ...shape, radius: shape.radius * 0.68 }, innerGray);
  }

  /** Visits the pixels within `reach` of (x, y), both in body coordinates, that `coverage` puts inside the shape. */
  #paint(
    x: number,
    y: number,
    reach: number,
    gray: number,
    opacity: number,
    coverage: (bodyX: number, bodyY: number) => number,
  ): void {
    const { scale, stretch, shiftX, shiftY, mirrored } = this.#pose;
    const half = this.#size / 2;
    const centreX = (mirrored ? -x : x) * scale * stretch;
    const centreY = y * scale;
    const column = (centreX * this.#cosine - centreY * this.#sine + shiftX + 1) * half;
    const row = (centreX * this.#sine + centreY * this.#cosine + shiftY + 1) * half;
    const reachPixels = reach * scale * Math.max(1, stretch) * half + 1;
    const columnEnd = Math.min(this.#size, Math.ceil(column + reachPixels));
    const rowEnd = Math.min(this.#size, Math.ceil(row + reachPixels));
    for (let v = Math.max(0, Math.floor(row - reachPixels)); v < rowEnd; v++) {
      for (let u = Math.max(0, Math.floor(column - reachPixels)); u < columnEnd; u++) {
        const pictureX = (u + 0.5) / half - 1 - shiftX;
        const pictureY = (v + 0.5) / half - 1 - shiftY;
        const bodyX = (pictureX * this.#cosine + pictureY * this.#sine) / (scale * stretch);
        const bodyY = (pictureY * this.#cosine - pictureX * this.#sine) / scale;
        const covered = coverage(mirrored ? -bodyX : bodyX, bodyY);
        if (covered <= 0) continue;
        const index = v * this.#size + u;
        const before = this.pixels[index] as number;
        this.pixels[index] = before + (gray - before) * Math.min(1, covered) * opacity;
      }
    }
  }
}

/** Math.hypot is tens of times slower, for a safety against overflow that is not needed here. */
function length(x: number, y: number): number {
  return Math.sqrt(x * x + y * y);
}
