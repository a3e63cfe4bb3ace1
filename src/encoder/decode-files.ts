import { KinscanError } from '../core/errors.js';
import { openImage } from '../imaging/decode-image.js';
import type { GrayFrame } from '../imaging/gray-frame.js';
import { isPlainGrayJpeg } from '../imaging/plain-jpeg.js';
import { resizeToSquare } from '../imaging/resize.js';
import { encodeThumbnail } from '../imaging/thumbnail.js';
import type {
  DecodedFile,
  DecodedImage,
  DecodeOutcome,
  DecodeRequest,
  DecodeSettings,
} from './decode-task.js';

/** Largest file that is kept as its own thumbnail; at 128 x 128 about the best quality. */
const PLAIN_THUMBNAIL_BYTES_MAX = 16 * 1024;

/** Files in, network inputs and thumbnails out. One file after the other keeps memory that of one frame. */
export async function decodeFiles(
  requests: readonly DecodeRequest[],
  settings: DecodeSettings,
): Promise<DecodeOutcome[]> {
  const outcomes: DecodeOutcome[] = [];
  for (const request of requests) {
    try {
      outcomes.push(await decodeFile(request, settings));
    } catch (error) {
      // anything else is a bug or a dying thread, and fails the task
      if (!(error instanceof KinscanError)) throw error;
      outcomes.push({ code: error.code, message: error.message });
    }
  }
  return outcomes;
}

async function decodeFile(request: DecodeRequest, settings: DecodeSettings): Promise<DecodedFile> {
  const image = await openImage(request.bytes, settings.limits, settings.patientHashKey);
  const { frameCount } = image;
  if (request.firstFrame >= frameCount) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `there is no frame ${request.firstFrame + 1}, only ${frameCount}`,
    );
  }
  const end = Math.min(frameCount, request.firstFrame + request.framesMax);
  const images: DecodedImage[] = [];
  for (let index = request.firstFrame; index < end; index++) {
    const { frame, metadata } = await image.readFrame(index);
    const thumbnail = request.withThumbnails
      ? await thumbnailOf(request.bytes, frame, settings.thumbnailEdgeMaxPixels)
      : new Uint8Array(0);
    images.push({ pixels: resizeToSquare(frame, settings.inputSize), thumbnail, metadata });
  }
  return { images, frameCount };
}

/** A file that is a thumbnail already stays one: it saves a fifth of the work on a small image, and a second loss. */
async function thumbnailOf(file: Uint8Array, frame: GrayFrame, edgeMaxPixels: number): Promise<Uint8Array> {
  if (isPlainGrayJpeg(file, edgeMaxPixels, PLAIN_THUMBNAIL_BYTES_MAX)) return file.slice();
  return encodeThumbnail(frame, { edgeMaxPixels });
}
