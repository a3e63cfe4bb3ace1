import type { CodesMessage, RecordSource } from './image-record.js';
import { recordMessage } from './image-record.js';
import type { DecodedFile } from './decode-task.js';
import type { Decoder } from './decoder.js';
import type { Inference } from './inference.js';
import { Semaphore } from './semaphore.js';
import type { SuspectDecoder } from './suspect-decoder.js';

/** Frames that are decoded in one task; what is held of an instance's pixels at once. */
export const FRAMES_PER_TASK = 16;
/** Instances of more frames that are under way at once: each holds the records of all its frames until they are complete. */
const LONG_INSTANCES_MAX = 2;

/**
 * Turns a file into the records of its frames. All or none: an instance with one damaged frame gives no record, so that
 * no half of it is ever found.
 */
export class FrameEncoder {
  readonly #decoder: Decoder;
  readonly #suspectDecoder: SuspectDecoder;
  readonly #inference: Inference;
  readonly #longInstances = new Semaphore(LONG_INSTANCES_MAX);

  constructor(decoder: Decoder, suspectDecoder: SuspectDecoder, inference: Inference) {
    this.#decoder = decoder;
    this.#suspectDecoder = suspectDecoder;
    this.#inference = inference;
  }

  /**
   * @param isSuspect decode it apart from all others, since it may end the process
   * @throws KinscanError what openImage and readFrame throw, OVERLOADED, INTERNAL, TOO_MANY_ATTEMPTS (a suspect's)
   */
  async encodeFile(bytes: Uint8Array, source: RecordSource, isSuspect = false): Promise<CodesMessage[]> {
    const decode = (firstFrame: number): Promise<DecodedFile> => {
      const request = { bytes, firstFrame, framesMax: FRAMES_PER_TASK, withThumbnails: true };
      return isSuspect ? this.#suspectDecoder.decode(request) : this.#decoder.decode(request, 'bulk');
    };
    const first = await decode(0);
    const messages = await this.#encode(first, 0, source);
    if (messages.length === first.frameCount) return messages;
    return this.#longInstances.hold(async () => {
      while (messages.length < first.frameCount) {
        const next = await decode(messages.length);
        messages.push(...(await this.#encode(next, messages.length, source)));
      }
      return messages;
    });
  }

  #encode(file: DecodedFile, firstFrame: number, source: RecordSource): Promise<CodesMessage[]> {
    return Promise.all(
      file.images.map(async (image, index) => {
        const encoding = await this.#inference.encode(image.pixels, 'bulk');
        return recordMessage(source, { index: firstFrame + index, count: file.frameCount }, image, encoding);
      }),
    );
  }
}
