import { KinscanError } from './errors.js';
import { isCalendarDate, isPatientHash, isUid } from './metadata-values.js';

/** Which images may be results (message Filter in common.proto): every condition holds; of a list, one value is enough. */
export interface SearchFilter {
  readonly label: readonly string[];
  readonly modality: readonly string[];
  readonly bodyPart: readonly string[];
  readonly laterality: readonly string[];
  readonly studyInstanceUid: readonly string[];
  readonly seriesInstanceUid: readonly string[];
  readonly patientHash: readonly string[];
  /** First day, YYYYMMDD; 0: no bound. */
  readonly studyDateFrom: number;
  /** Last day, YYYYMMDD; 0: no bound. */
  readonly studyDateTo: number;
  readonly excludeStudyInstanceUid: readonly string[];
  readonly excludePatientHash: readonly string[];
}

export const FILTER_LISTS = [
  'label',
  'modality',
  'bodyPart',
  'laterality',
  'studyInstanceUid',
  'seriesInstanceUid',
  'patientHash',
  'excludeStudyInstanceUid',
  'excludePatientHash',
] as const satisfies readonly (keyof SearchFilter)[];

/** Values of one list. */
export const FILTER_VALUES_MAX = 1_000;
/** Bytes of one value; no longer one is ever stored. */
export const FILTER_VALUE_BYTES_MAX = 256;
/** Bytes of all values together. */
export const FILTER_BYTES_MAX = 128 * 1024;

/** What the values of some lists must look like, lest a mistyped one be taken for one that no image has. */
const VALUE_RULES: Readonly<
  Record<string, { readonly isValid: (value: string) => boolean; readonly is: string }>
> = {
  studyInstanceUid: { isValid: isUid, is: 'a UID' },
  seriesInstanceUid: { isValid: isUid, is: 'a UID' },
  excludeStudyInstanceUid: { isValid: isUid, is: 'a UID' },
  patientHash: { isValid: isPatientHash, is: '64 lower-case hexadecimal digits' },
  excludePatientHash: { isValid: isPatientHash, is: '64 lower-case hexadecimal digits' },
};

/** @throws KinscanError INVALID_FILTER, without the values in the text */
export function checkSearchFilter(filter: SearchFilter): void {
  let bytes = 0;
  for (const list of FILTER_LISTS) bytes += checkedBytes(list, filter[list]);
  if (bytes > FILTER_BYTES_MAX)
    throw invalid(`the values have ${bytes} bytes, more than ${FILTER_BYTES_MAX}`);
  const { studyDateFrom, studyDateTo } = filter;
  for (const date of [studyDateFrom, studyDateTo]) {
    if (date !== 0 && !isCalendarDate(date)) throw invalid('a study date is a day, as the number YYYYMMDD');
  }
  if (studyDateFrom !== 0 && studyDateTo !== 0 && studyDateFrom > studyDateTo) {
    throw invalid('study_date_from is behind study_date_to');
  }
}

function checkedBytes(list: (typeof FILTER_LISTS)[number], values: readonly string[]): number {
  if (values.length > FILTER_VALUES_MAX) {
    throw invalid(`${list} has ${values.length} values, more than ${FILTER_VALUES_MAX}`);
  }
  const rule = VALUE_RULES[list];
  let bytes = 0;
  for (const value of values) {
    const valueBytes = Buffer.byteLength(value, 'utf8');
    if (valueBytes === 0 || valueBytes > FILTER_VALUE_BYTES_MAX) {
      throw invalid(`a value of ${list} has ${valueBytes} bytes, not 1 to ${FILTER_VALUE_BYTES_MAX}`);
    }
    if (rule !== undefined && !rule.isValid(value)) throw invalid(`a value of ${list} is not ${rule.is}`);
    bytes += valueBytes;
  }
  return bytes;
}

/** Whether the filter asks for nothing: every image passes. */
export function isEmptyFilter(filter: SearchFilter): boolean {
  return (
    filter.studyDateFrom === 0 &&
    filter.studyDateTo === 0 &&
    FILTER_LISTS.every((list) => filter[list].length === 0)
  );
}

function invalid(message: string): KinscanError {
  return new KinscanError('INVALID_FILTER', message);
}
