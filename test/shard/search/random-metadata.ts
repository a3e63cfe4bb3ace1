import type { ImageMetadata } from '../../../src/core/image-metadata.js';
import type { Random } from '../../../src/core/random.js';
import type { SearchFilter } from '../../../src/core/search-filter.js';
import { filterOf } from './plain-search.js';

/** Few values, so that conditions meet; an absent one now and then. */
const VALUES = {
  label: ['liver', 'lung', 'größer'],
  modality: ['CT', 'MR'],
  bodyPart: ['HEAD', 'CHEST'],
  laterality: ['L', 'R'],
} as const;
const STUDIES = 12;
const PATIENTS = 5;
const DATES = [20200101, 20200229, 20231231, 20240101];

const hashOf = (patient: number) => patient.toString(16).padStart(64, 'a');

/** @param absentOneIn one value in so many is missing */
export function randomMetadata(random: Random, absentOneIn = 4): ImageMetadata {
  const maybe = <Value>(value: Value): Value | undefined =>
    random.integer(absentOneIn) === 0 ? undefined : value;
  const pick = <Value>(values: readonly Value[]): Value => values[random.integer(values.length)] as Value;
  const study = random.integer(STUDIES);
  const metadata = {
    label: maybe(pick(VALUES.label)),
    modality: maybe(pick(VALUES.modality)),
    bodyPart: maybe(pick(VALUES.bodyPart)),
    laterality: maybe(pick(VALUES.laterality)),
    studyInstanceUid: maybe(`1.${study}`),
    seriesInstanceUid: maybe(`1.${study}.${random.integer(3)}`),
    patientHash: maybe(hashOf(study % PATIENTS)),
    studyDate: maybe(pick(DATES)),
  };
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
}

/** One to three conditions, some with values that no image has. */
export function randomFilter(random: Random): SearchFilter {
  const some = (values: readonly string[]) => values.filter(() => random.integer(2) === 0);
  const study = () => `1.${random.integer(STUDIES + 2)}`;
  const conditions: Partial<SearchFilter>[] = [
    { label: some([...VALUES.label, 'nowhere']) },
    { modality: some(VALUES.modality) },
    { bodyPart: some(VALUES.bodyPart), laterality: some(VALUES.laterality) },
    { studyInstanceUid: [study(), study(), study()] },
    { seriesInstanceUid: [`${study()}.0`, `${study()}.1`] },
    { patientHash: [hashOf(random.integer(PATIENTS + 1))] },
    { studyDateFrom: DATES[random.integer(DATES.length)] as number },
    { studyDateTo: DATES[random.integer(DATES.length)] as number },
    { studyDateFrom: 20200102, studyDateTo: 20231231 },
    { excludeStudyInstanceUid: [study(), study()] },
    { excludePatientHash: [hashOf(random.integer(PATIENTS))] },
  ];
  const count = 1 + random.integer(3);
  const chosen = Array.from({ length: count }, () => conditions[random.integer(conditions.length)]);
  return filterOf(Object.assign({}, ...chosen) as Partial<SearchFilter>);
}
