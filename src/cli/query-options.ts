import { InvalidArgumentError, Option, type Command } from 'commander';
import { codeFromHex } from '../core/code.js';
import { isCalendarDate } from '../core/metadata-values.js';
import type { Filter } from '../generated/kinscan/v1/Filter.js';
import type { SearchRequest } from '../generated/kinscan/v1/SearchRequest.js';
import { UsageError } from './exit-code.js';
import { readImageFile } from './read-image-file.js';

/** What the commands that ask questions have in common: the query, and which images may be results. */
export interface QueryOptions {
  readonly id?: string;
  readonly code?: string;
  readonly fineCode?: string;
  readonly ranking: 'fine' | 'hamming';
  readonly requireComplete?: boolean;
  readonly label?: string[];
  readonly modality?: string[];
  readonly bodyPart?: string[];
  readonly laterality?: string[];
  readonly study?: string[];
  readonly series?: string[];
  readonly patientHash?: string[];
  readonly fromDate?: number;
  readonly toDate?: number;
  readonly excludeStudy?: string[];
  readonly excludePatientHash?: string[];
  readonly excludeSameStudy?: boolean;
  readonly excludeSamePatient?: boolean;
}

export function addQueryOptions(command: Command): Command {
  return command
    .argument('[image]', 'a PNG, JPEG, TIFF or DICOM file')
    .option('--id <id>', 'search by an image that is already indexed')
    .option('--code <hex>', 'search by a code, first byte first')
    .option('--fine-code <hex>', 'with --code: the fine code of the same image')
    .addOption(
      new Option('--ranking <order>', 'order within equal distances')
        .choices(['fine', 'hamming'])
        .default('fine'),
    )
    .option('--require-complete', 'fail rather than answer with some partitions missing');
}

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(listOption('--label <text>', 'only images with this label'))
    .addOption(listOption('--modality <code>', 'only images of this modality, for instance CT'))
    .addOption(listOption('--body-part <code>', 'only images of this body part'))
    .addOption(listOption('--laterality <code>', 'only images of this side: L, R, B or U'))
    .addOption(listOption('--study <uid>', 'only images of this study'))
    .addOption(listOption('--series <uid>', 'only images of this series'))
    .addOption(listOption('--patient-hash <hex>', 'only images of this patient'))
    .option('--from-date <yyyymmdd>', 'only studies of this day or later', date)
    .option('--to-date <yyyymmdd>', 'only studies of this day or earlier', date)
    .addOption(listOption('--exclude-study <uid>', 'no images of this study'))
    .addOption(listOption('--exclude-patient-hash <hex>', 'no images of this patient'))
    .option('--exclude-same-study', "no images of the query's own study")
    .option('--exclude-same-patient', "no images of the query's own patient");
}

/** An option that may be given several times: any of its values will do. */
function listOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; may be repeated`).argParser(
    (value: string, before: string[] | undefined) => [...(before ?? []), value],
  );
}

function date(text: string): number {
  const digits = text.replace(/^(\d{4})-(\d\d)-(\d\d)$/, '$1$2$3');
  if (!/^\d{8}$/.test(digits) || !isCalendarDate(Number(digits))) {
    throw new InvalidArgumentError('It is a day, as YYYYMMDD or YYYY-MM-DD.');
  }
  return Number(digits);
}

/** The query of a request. @throws UsageError, KinscanError (file, code) */
export async function queryOf(
  image: string | undefined,
  options: QueryOptions,
): Promise<Pick<SearchRequest, 'image' | 'imageId' | 'code' | 'fineCode' | 'ranking' | 'requireComplete'>> {
  if ([image, options.id, options.code].filter((query) => query !== undefined).length !== 1) {
    throw new UsageError('give exactly one of IMAGE, --id and --code');
  }
  if (options.fineCode !== undefined && options.code === undefined) {
    throw new UsageError('--fine-code goes with --code');
  }
  return {
    ranking: options.ranking === 'hamming' ? 'RANKING_HAMMING' : 'RANKING_UNSPECIFIED',
    requireComplete: options.requireComplete === true,
    ...(image === undefined ? {} : { image: await readImageFile(image) }),
    ...(options.id === undefined ? {} : { imageId: options.id }),
    ...(options.code === undefined ? {} : { code: codeOf(options.code) }),
    ...(options.fineCode === undefined ? {} : { fineCode: codeOf(options.fineCode) }),
  };
}

function codeOf(hex: string) {
  const bits = codeFromHex(hex);
  return { bits, codeBits: bits.length * 8 };
}

export function filterOf(options: QueryOptions): Filter {
  return {
    label: options.label ?? [],
    modality: options.modality ?? [],
    bodyPart: options.bodyPart ?? [],
    laterality: options.laterality ?? [],
    studyInstanceUid: options.study ?? [],
    seriesInstanceUid: options.series ?? [],
    patientHash: options.patientHash ?? [],
    studyDateFrom: options.fromDate ?? 0,
    studyDateTo: options.toDate ?? 0,
    excludeStudyInstanceUid: options.excludeStudy ?? [],
    excludePatientHash: options.excludePatientHash ?? [],
    excludeQueryStudy: options.excludeSameStudy === true,
    excludeQueryPatient: options.excludeSamePatient === true,
  };
}
