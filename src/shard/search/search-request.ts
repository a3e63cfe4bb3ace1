import { assertCodeLength, codeByteLength } from '../../core/code.js';
import { KinscanError } from '../../core/errors.js';
import { validateImageId } from '../../core/image-id.js';
import { checkSearchFilter, isEmptyFilter, type SearchFilter } from '../../core/search-filter.js';
import { tieKeyOf } from '../../core/tie-key.js';
import type { GroupBy__Output } from '../../generated/kinscan/v1/GroupBy.js';
import type { ShardSearchRequest__Output } from '../../generated/kinscan/v1/ShardSearchRequest.js';
import type { ModelSettings } from '../../runtime/cluster-state.js';
import type { WantedPosition } from '../apply/position-board.js';
import type { AttributeField } from '../attributes/attribute-set.js';
import type { Ranking } from '../index/shard-index.js';
import type { HitPlace } from './hit-place.js';
import type { PartitionQuery } from './partition-search.js';

const K_MAX = 10_000;
/** With a place to go on behind, images at that very place are looked at again: there is room for them beside k. */
const K_BEHIND_MAX = 5_000;

const GROUP_FIELDS: Readonly<Record<Extract<GroupBy__Output, string>, AttributeField | undefined>> = {
  GROUP_BY_UNSPECIFIED: undefined,
  GROUP_BY_STUDY: 'studyInstanceUid',
  GROUP_BY_SERIES: 'seriesInstanceUid',
  GROUP_BY_PATIENT: 'patientHash',
};

/** What a search request is checked against. */
export interface SearchRules {
  readonly model: ModelSettings;
  /** Of the placement that this server follows. */
  readonly placementEpoch: number;
  readonly isHosted: (partition: number) => boolean;
}

export interface CheckedSearch {
  readonly query: PartitionQuery;
  /** Positions of the searched partitions that the answer must include. */
  readonly token: readonly WantedPosition[];
}

/**
 * Checks a request, routing first: a caller with an old placement or model must learn that before anything else.
 * @throws KinscanError STALE_PLACEMENT, MODEL_VERSION_MISMATCH, CODE_LENGTH_MISMATCH, INVALID_K, INVALID_FILTER,
 *   INVALID_IMAGE_ID, INVALID_ARGUMENT
 */
export function checkSearchRequest(
  request: ShardSearchRequest__Output,
  rules: SearchRules,
  signal: AbortSignal,
): CheckedSearch {
  const partitions = [...new Set(request.partitions)];
  checkRouting(partitions, request.placementEpoch, rules);
  const { model } = rules;
  if (request.modelVersion !== model.modelVersion) {
    throw new KinscanError('MODEL_VERSION_MISMATCH', 'the index holds codes of another model version');
  }
  const { k, maxDistance } = request;
  if (k < 1 || k > K_MAX) throw new KinscanError('INVALID_K', `k is 1 to ${K_MAX}, not ${k}`);
  const code = request.code?.bits ?? Buffer.alloc(0);
  checkCode(code, request.code?.codeBits ?? 0, model.codeBits);
  const ranking = rankingOf(request);
  const fineCode = request.fineCode?.bits ?? Buffer.alloc(0);
  const usesFineCode = ranking === 'FINE' && model.fineCodeBits > 0;
  if (usesFineCode) checkCode(fineCode, request.fineCode?.codeBits ?? 0, model.fineCodeBits);
  const filter = filterOf(request);
  const groupBy = groupFieldOf(request);
  const after = placeOf(request);
  const query: PartitionQuery = {
    code,
    k,
    ranking,
    partitions,
    signal,
    ...(usesFineCode ? { fineCode } : {}),
    ...(maxDistance === undefined ? {} : { maxDistance: Math.min(maxDistance, model.codeBits) }),
    ...(filter && { filter }),
    ...(groupBy && { groupBy }),
    ...(after && { after }),
  };
  const token = request.token
    .filter(({ partition }) => partitions.includes(partition))
    .map(({ partition, streamSequence }) => ({ partition, sequence: streamSequence }));
  return { query, token };
}

function checkRouting(partitions: readonly number[], placementEpoch: number, rules: SearchRules): void {
  if (placementEpoch !== rules.placementEpoch) {
    throw new KinscanError(
      'STALE_PLACEMENT',
      `the placement here has epoch ${rules.placementEpoch}, not ${placementEpoch}`,
    );
  }
  if (partitions.length === 0) throw new KinscanError('INVALID_ARGUMENT', 'no partition is named');
  const missing = partitions.find((partition) => !rules.isHosted(partition));
  if (missing !== undefined) {
    throw new KinscanError('STALE_PLACEMENT', `partition ${missing} is not hosted here`);
  }
}

function checkCode(code: Uint8Array, statedBits: number, codeBits: number): void {
  if (statedBits !== codeBits) {
    throw new KinscanError(
      'CODE_LENGTH_MISMATCH',
      `a code here is ${codeBits} bits in ${codeByteLength(codeBits)} bytes, not ${statedBits} bits`,
    );
  }
  assertCodeLength(code, codeBits);
}

function rankingOf({ ranking }: ShardSearchRequest__Output): Ranking {
  if (ranking === 'RANKING_HAMMING') return 'HAMMING';
  if (ranking === 'RANKING_FINE') return 'FINE';
  throw new KinscanError('INVALID_ARGUMENT', 'the ranking is neither HAMMING nor FINE');
}

function filterOf({ filter }: ShardSearchRequest__Output): SearchFilter | undefined {
  if (filter === null) return undefined;
  if (filter.excludeQueryStudy || filter.excludeQueryPatient) {
    throw new KinscanError('INVALID_FILTER', "a shard server does not know the query's study and patient");
  }
  checkSearchFilter(filter);
  return isEmptyFilter(filter) ? undefined : filter;
}

function groupFieldOf({ groupBy }: ShardSearchRequest__Output): AttributeField | undefined {
  if (Object.hasOwn(GROUP_FIELDS, groupBy)) return GROUP_FIELDS[groupBy];
  throw new KinscanError('INVALID_ARGUMENT', 'group_by is none of its values');
}

function placeOf({ after, groupBy, k }: ShardSearchRequest__Output): HitPlace | undefined {
  if (after === null) return undefined;
  if (groupBy !== 'GROUP_BY_UNSPECIFIED') {
    throw new KinscanError('INVALID_ARGUMENT', 'groups are not searched behind a place');
  }
  if (k > K_BEHIND_MAX)
    throw new KinscanError('INVALID_K', `k is 1 to ${K_BEHIND_MAX} behind a place, not ${k}`);
  const { distance, fineDistance, imageId } = after;
  return { distance, fineDistance, imageId, tieKey: tieKeyOf(validateImageId(imageId)) };
}
