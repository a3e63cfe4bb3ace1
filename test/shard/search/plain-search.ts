import { hammingDistance } from '../../../src/core/code.js';
import type { ImageMetadata } from '../../../src/core/image-metadata.js';
import { compareRanked } from '../../../src/core/ranking.js';
import { FILTER_LISTS, type SearchFilter } from '../../../src/core/search-filter.js';
import { tieKeyOf } from '../../../src/core/tie-key.js';
import { ATTRIBUTE_FIELDS, type AttributeField } from '../../../src/shard/attributes/attribute-set.js';

/** An image as the plain search sees it. */
export interface PlainImage {
  readonly imageId: string;
  readonly code: Uint8Array;
  readonly fineCode: Uint8Array;
  readonly metadata: ImageMetadata;
}

export interface PlainQuery {
  readonly code: Uint8Array;
  /** undefined: ranking HAMMING. */
  readonly fineCode: Uint8Array | undefined;
  readonly k: number;
  readonly maxDistance: number;
  readonly filter: SearchFilter | undefined;
  readonly groupBy: AttributeField | undefined;
}

export interface PlainHit {
  readonly id: string;
  readonly distance: number;
  readonly fineDistance: number;
  readonly tieKey: bigint;
}

/** What proto/kinscan/v1 promises, by its words alone: look at every image, sort all, keep the first of each group. */
export function plainSearch(images: readonly PlainImage[], query: PlainQuery): PlainHit[] {
  const seen = new Set<string>();
  return images
    .filter(({ metadata }) => query.filter === undefined || passes(metadata, query.filter))
    .map(({ imageId, code, fineCode, metadata }) => ({
      id: imageId,
      distance: hammingDistance(code, query.code),
      fineDistance: query.fineCode === undefined ? 0 : hammingDistance(fineCode, query.fineCode),
      tieKey: tieKeyOf(imageId),
      group: query.groupBy === undefined ? '' : String(metadata[query.groupBy] ?? ''),
    }))
    .filter(({ distance }) => distance <= query.maxDistance)
    .sort(compareRanked)
    .filter(({ group }) => group === '' || (!seen.has(group) && seen.add(group)))
    .slice(0, query.k)
    .map(({ group: _, ...hit }) => hit);
}

export function passes(metadata: ImageMetadata, filter: SearchFilter): boolean {
  const isAmong = (values: readonly string[], field: AttributeField) =>
    values.includes(metadata[field] ?? '');
  const { studyDate } = metadata;
  const hasBound = filter.studyDateFrom > 0 || filter.studyDateTo > 0;
  return (
    ATTRIBUTE_FIELDS.every((field) => filter[field].length === 0 || isAmong(filter[field], field)) &&
    !isAmong(filter.excludeStudyInstanceUid, 'studyInstanceUid') &&
    !isAmong(filter.excludePatientHash, 'patientHash') &&
    (!hasBound ||
      (studyDate !== undefined &&
        studyDate >= filter.studyDateFrom &&
        studyDate <= (filter.studyDateTo === 0 ? Infinity : filter.studyDateTo)))
  );
}

/** A filter of these conditions. */
export function filterOf(conditions: Partial<SearchFilter>): SearchFilter {
  const lists = Object.fromEntries(FILTER_LISTS.map((list): [string, readonly string[]] => [list, []]));
  return { ...(lists as unknown as SearchFilter), studyDateFrom: 0, studyDateTo: 0, ...conditions };
}
