import { KinscanError } from '../core/errors.js';
import { checkSearchFilter, isEmptyFilter } from '../core/search-filter.js';
import type { Filter, Filter__Output } from '../generated/kinscan/v1/Filter.js';
import type { ImageMetadata__Output } from '../generated/kinscan/v1/ImageMetadata.js';

/**
 * A client's filter as shard servers get it: with the query's own study and patient among those excluded.
 * @param filter checked
 * @param own what is known of the query image; null for a query by code
 * @returns null where every image passes
 * @throws KinscanError QUERY_VALUE_UNKNOWN; INVALID_FILTER where the query's own value is one too many
 */
export function resolveFilter(
  filter: Filter__Output | null,
  own: ImageMetadata__Output | null,
): Filter | null {
  if (filter === null) return null;
  const { excludeQueryStudy, excludeQueryPatient, ...lists } = filter;
  const resolved: Filter__Output = { ...lists, excludeQueryStudy: false, excludeQueryPatient: false };
  if (excludeQueryStudy) {
    const study = known(own?.studyInstanceUid, 'study');
    resolved.excludeStudyInstanceUid = withValue(filter.excludeStudyInstanceUid, study);
  }
  if (excludeQueryPatient) {
    const patient = known(own?.patientHash, 'patient');
    resolved.excludePatientHash = withValue(filter.excludePatientHash, patient);
  }
  checkSearchFilter(resolved);
  return isEmptyFilter(resolved) ? null : resolved;
}

function known(value: string | undefined, what: string): string {
  if (value !== undefined && value !== '') return value;
  throw new KinscanError('QUERY_VALUE_UNKNOWN', `the query's ${what} is to be excluded, but is not known`);
}

function withValue(values: readonly string[], value: string): string[] {
  return values.includes(value) ? [...values] : [...values, value];
}
