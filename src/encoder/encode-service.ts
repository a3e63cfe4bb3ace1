import { codeOfEmbedding } from '../core/code.js';
import { KinscanError, toKinscanError } from '../core/errors.js';
import type { EncodeRequest__Output } from '../generated/kinscan/v1/EncodeRequest.js';
import type { EncodeResponse } from '../generated/kinscan/v1/EncodeResponse.js';
import { unary, type CallContext, type ServiceHandlers } from '../runtime/grpc-server.js';
import type { Logger } from '../runtime/log.js';
import type { Decoder } from './decoder.js';
import type { EncoderMetrics } from './encoder-metrics.js';
import type { Inference } from './inference.js';
import { mergeMetadata } from './merge-metadata.js';

/** What a refused query is told to wait, in milliseconds. */
const RETRY_AFTER_MS = 100;

export interface EncodeServiceOptions {
  readonly decoder: Decoder;
  readonly inference: Inference;
  readonly queriesInFlightMax: number;
  readonly isDraining: () => boolean;
  readonly metrics: EncoderMetrics;
  readonly log: Logger;
}

/** The gRPC service Encoder: queries, ahead of bulk work. */
export function encodeService(options: EncodeServiceOptions): ServiceHandlers {
  const { metrics, queriesInFlightMax } = options;
  let inFlight = 0;
  const encode = async (request: EncodeRequest__Output, { signal }: CallContext): Promise<EncodeResponse> => {
    if (options.isDraining()) throw new KinscanError('DRAINING', 'this encoder is shutting down');
    if (inFlight >= queriesInFlightMax) {
      throw new KinscanError('OVERLOADED', 'too many queries', { retryAfterMs: RETRY_AFTER_MS });
    }
    inFlight++;
    try {
      const response = await encodeQuery(options, request, signal);
      metrics.queries.inc({ outcome: 'ok' });
      return response;
    } catch (error) {
      metrics.queries.inc({ outcome: toKinscanError(error).code });
      throw error;
    } finally {
      inFlight--;
    }
  };
  return { Encode: unary(options.log, encode) };
}

async function encodeQuery(
  { decoder, inference }: EncodeServiceOptions,
  { image, frameNumber }: EncodeRequest__Output,
  signal: AbortSignal,
): Promise<EncodeResponse> {
  const firstFrame = Math.max(0, frameNumber - 1);
  const file = await decoder.decode(
    { bytes: image, firstFrame, framesMax: 1, withThumbnails: false },
    'query',
    signal,
  );
  const [frame] = file.images;
  if (frame === undefined) throw new KinscanError('CORRUPT_IMAGE', 'the image has no such frame');
  const { embedding, fineEmbedding } = await inference.encode(frame.pixels, 'query', signal);
  return {
    code: { bits: codeOfEmbedding(embedding), codeBits: embedding.length },
    ...(fineEmbedding.length > 0 && {
      fineCode: { bits: codeOfEmbedding(fineEmbedding), codeBits: fineEmbedding.length },
    }),
    embedding: Array.from(embedding),
    modelVersion: inference.engine.modelVersion,
    metadata: mergeMetadata(frame.metadata, null),
  };
}
