import { assertCodeLength } from '../core/code.js';
import { KinscanError } from '../core/errors.js';
import { validateImageId } from '../core/image-id.js';
import type { Code__Output } from '../generated/kinscan/v1/Code.js';
import type { ImageMetadata__Output } from '../generated/kinscan/v1/ImageMetadata.js';
import type { SearchRequest__Output } from '../generated/kinscan/v1/SearchRequest.js';
import type { ModelSettings } from '../runtime/cluster-state.js';
import type { Deadline } from './deadline.js';
import type { Encoders } from './encoders.js';
import type { RecordFetcher } from './record-fetcher.js';

/** The part of a request that says what is looked for. */
export type QueryRequest = Pick<
  SearchRequest__Output,
  'query' | 'image' | 'imageId' | 'code' | 'fineCode' | 'frameNumber' | 'modelVersion'
>;

/** A query as a code. */
export interface QueryCode {
  readonly code: Code__Output;
  /** null where the model makes none, and for a query by code alone. */
  readonly fineCode: Code__Output | null;
  /** What is known of the query image; null for a query by code. */
  readonly metadata: ImageMetadata__Output | null;
}

export interface QueryCodeSources {
  readonly encoders: Encoders;
  readonly fetcher: RecordFetcher;
  readonly imageBytesMax: number;
}

const CODE_ONLY = { includeThumbnail: false, includeEmbedding: false };

/**
 * Turns the query into a code of the index's model: by an encoder, from the gallery, or as given.
 * @throws KinscanError INVALID_ARGUMENT (no query), INVALID_IMAGE_ID, IMAGE_NOT_FOUND, EMPTY_IMAGE, IMAGE_TOO_LARGE and
 *   what the encoder finds wrong, CODE_LENGTH_MISMATCH, MODEL_VERSION_MISMATCH, ENCODER_UNAVAILABLE, SHARD_UNAVAILABLE
 */
export async function queryCodeOf(
  request: QueryRequest,
  model: ModelSettings,
  sources: QueryCodeSources,
  deadline: Deadline,
): Promise<QueryCode> {
  switch (request.query) {
    case 'image':
      return encodedCode(request, model, sources, deadline);
    case 'imageId':
      return storedCode(request.imageId ?? '', model, sources.fetcher, deadline);
    case 'code':
      return givenCode(request, model);
    default:
      throw new KinscanError('INVALID_ARGUMENT', 'a query is an image, an image_id or a code');
  }
}

async function encodedCode(
  request: QueryRequest,
  model: ModelSettings,
  { encoders, imageBytesMax }: QueryCodeSources,
  deadline: Deadline,
): Promise<QueryCode> {
  const image = request.image ?? Buffer.alloc(0);
  if (image.length === 0) throw new KinscanError('EMPTY_IMAGE', 'the query image has no bytes');
  if (image.length > imageBytesMax) {
    throw new KinscanError(
      'IMAGE_TOO_LARGE',
      `the query image has ${image.length} bytes, more than ${imageBytesMax}`,
    );
  }
  const encoded = await encoders.encode({ image, frameNumber: request.frameNumber }, deadline);
  checkModelVersion(encoded.modelVersion, model);
  if (encoded.code === null) throw new KinscanError('INTERNAL', 'an encoder answered without a code');
  return { code: encoded.code, fineCode: presentOrNull(encoded.fineCode), metadata: encoded.metadata };
}

async function storedCode(
  imageId: string,
  model: ModelSettings,
  fetcher: RecordFetcher,
  deadline: Deadline,
): Promise<QueryCode> {
  validateImageId(imageId);
  const record = (await fetcher.byId([imageId], CODE_ONLY, deadline)).get(imageId);
  if (record === undefined) throw new KinscanError('IMAGE_NOT_FOUND', 'no image with this id is indexed');
  checkModelVersion(record.modelVersion, model);
  if (record.code === null) throw new KinscanError('CORRUPT_RECORD', 'a stored record has no code');
  return { code: record.code, fineCode: presentOrNull(record.fineCode), metadata: record.metadata };
}

function givenCode(request: QueryRequest, model: ModelSettings): QueryCode {
  const { code, modelVersion } = request;
  if (code === null || code === undefined) throw new KinscanError('INVALID_ARGUMENT', 'the code is missing');
  if (modelVersion !== '') checkModelVersion(modelVersion, model);
  checkCode(code, model.codeBits, 'codes');
  const fineCode = presentOrNull(request.fineCode);
  if (fineCode !== null) checkCode(fineCode, model.fineCodeBits, 'fine codes');
  return { code, fineCode, metadata: null };
}

function checkCode({ bits, codeBits }: Code__Output, wantedBits: number, what: string): void {
  if (codeBits !== wantedBits) {
    throw new KinscanError(
      'CODE_LENGTH_MISMATCH',
      `the index holds ${what} of ${wantedBits} bits, not ${codeBits}`,
    );
  }
  assertCodeLength(bits, wantedBits);
}

function checkModelVersion(modelVersion: string, model: ModelSettings): void {
  if (modelVersion === model.modelVersion) return;
  throw new KinscanError(
    'MODEL_VERSION_MISMATCH',
    'the code was made by another model version than the index',
  );
}

function presentOrNull(code: Code__Output | null): Code__Output | null {
  return code === null || code.codeBits === 0 ? null : code;
}
