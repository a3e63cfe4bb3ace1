import { KinscanError } from '../../core/errors.js';
import { NO_AUGMENTATION } from '../../model/augmentation.js';
import type { MethodChange, TrainingBudget } from '../rivals/rival.js';

/** One row of an experiment that compares settings of a method instead of methods. */
export interface Variant {
  /** Rows of a group stand together. */
  readonly group: string;
  readonly title: string;
  readonly method: string;
  readonly change?: MethodChange;
  /** Instead of what the budget says. */
  readonly budget?: Partial<Pick<TrainingBudget, 'augmentation' | 'mirror'>>;
}

/** What one experiment compares and shows. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** Names of methods, the one that is expected to win first. */
  readonly methods: readonly string[];
  readonly codeLengths: readonly number[];
  /** Measured instead of each method as it is, at every code length. */
  readonly variants?: readonly Variant[];
  /** What the page shows of the measurements. */
  readonly views: readonly ExperimentView[];
}

/**
 * map-by-length  mAP over the top results, a row per method and a column per code length, the paper's beside
 * curve          mAP against the number of results
 * accuracy-time  accuracy and time to retrieve one image
 * contact-sheet  the first ten results of the same query, method by method
 * unseen-class   mAP of queries whose class was left out of the training, class by class
 * variants       mAP of every variant, group by group
 */
export type ExperimentView =
  'map-by-length' | 'curve' | 'accuracy-time' | 'contact-sheet' | 'unseen-class' | 'variants';

const AGAINST_TRADITIONAL = ['kinscan', 'dh', 'ksh', 'mlh', 'sh', 'lsh'];
const AGAINST_DEEP = ['kinscan', 'dnnh', 'plain', 'cnnh', 'dh'];

/** Learning rates that each deep method is tried with. */
const RATES: Readonly<Record<string, readonly number[]>> = {
  dh: [0.0000001, 0.000001, 0.00001, 0.0001],
  dnnh: [0.0001, 0.0003, 0.001, 0.003],
  cnnh: [0.001, 0.002, 0.004, 0.007],
  kinscan: [0.002, 0.003, 0.005, 0.007],
  plain: [0.002, 0.003, 0.005, 0.007],
};

const rateVariants = Object.entries(RATES).flatMap(([method, rates]) =>
  rates.map((learningRate): Variant => ({
    group: method,
    title: `learning rate ${learningRate}`,
    method,
    change: { learningRate },
  })),
);

const NOT_CLIPPED = { warmUpIterations: 0, gradientNormMax: 0 } as const;

/** Settings of the paper's network at 48 bits; the first row of a group is what the comparison of methods uses. */
const ablationVariants: readonly Variant[] = [
  { group: 'α', title: '0.01', method: 'kinscan' },
  ...[0, 0.001, 0.1].map((alpha) => setting('α', String(alpha), { settings: { alpha } })),
  { group: 'margin', title: '2k', method: 'kinscan' },
  ...[0.5, 1, 4].map((share) =>
    setting('margin', share === 0.5 ? 'k/2' : share === 1 ? 'k' : '4k', { settings: { margin: 48 * share } }),
  ),
  { group: 'pairs', title: 'all of a batch', method: 'kinscan' },
  setting('pairs', 'drawn, 2 similar to 3 dissimilar', { settings: { pairs: 'drawn' } }),
  { group: 'learning rate', title: '0.007, half cosine, gradients clipped', method: 'kinscan' },
  setting('learning rate', '0.0015, half cosine', { learningRate: 0.0015, settings: NOT_CLIPPED }),
  setting('learning rate', '0.0005, eight steps', {
    learningRate: 0.0005,
    settings: { ...NOT_CLIPPED, learningRateDecay: 'steps' },
  }),
  { group: 'code lengths', title: '48 bits from scratch', method: 'kinscan' },
  setting('code lengths', '16, then 32, then 48 bits, the same mini-batches in all', { lengths: [16, 32] }),
  { group: 'augmentation', title: 'as in the command', method: 'kinscan' },
  augmented('none', {}),
  augmented('mirror images only', {}, true),
  augmented('rotation only, 10°', { rotationDegrees: 10 }),
  augmented('shift only, 5 %', { shift: 0.05 }),
  augmented('scale only, 10 %', { scale: 0.1 }),
  augmented('intensity only, 10 %', { intensity: 0.1 }),
];

function setting(group: string, title: string, change: MethodChange): Variant {
  return { group, title, method: 'kinscan', change };
}

function augmented(title: string, kinds: Partial<TrainingBudget['augmentation']>, mirror = false): Variant {
  const augmentation = { ...NO_AUGMENTATION, ...kinds };
  return { group: 'augmentation', title, method: 'kinscan', budget: { augmentation, mirror } };
}

export const EXPERIMENTS: readonly Experiment[] = [
  {
    name: 'table1',
    title: 'Table 1: mAP over the top 100 by code length',
    methods: AGAINST_TRADITIONAL,
    codeLengths: [16, 32, 48, 64],
    views: ['map-by-length'],
  },
  {
    name: 'fig3',
    title: 'Figure 3: the first ten results of one query',
    methods: AGAINST_TRADITIONAL,
    codeLengths: [48],
    views: ['contact-sheet'],
  },
  {
    name: 'fig4',
    title: 'Figure 4: mAP against the number of results',
    methods: AGAINST_TRADITIONAL,
    codeLengths: [48],
    views: ['curve', 'contact-sheet'],
  },
  {
    name: 'fig6',
    title: 'Figure 6: mAP against the number of results, deep methods',
    methods: AGAINST_DEEP,
    codeLengths: [48],
    views: ['curve', 'contact-sheet'],
  },
  {
    name: 'table2',
    title: 'Table 2: accuracy and time to retrieve one image',
    methods: AGAINST_DEEP,
    codeLengths: [48],
    views: ['accuracy-time'],
  },
  {
    name: 'lengths',
    title: 'Every method at every code length, with worst ties and the float ceiling',
    methods: ['kinscan', 'plain', 'dnnh', 'cnnh', 'dh', 'ksh', 'mlh', 'sh', 'lsh'],
    codeLengths: [16, 32, 48, 64],
    views: ['map-by-length', 'curve', 'accuracy-time', 'contact-sheet'],
  },
  {
    name: 'unseen',
    title: 'Classes that the training never saw',
    methods: ['kinscan'],
    codeLengths: [48],
    views: ['unseen-class'],
  },
  {
    name: 'rates',
    title: 'Learning rates of the deep methods',
    methods: AGAINST_DEEP,
    codeLengths: [48],
    variants: rateVariants,
    views: ['variants'],
  },
  {
    name: 'ablations',
    title: "What each choice in the paper's method does",
    methods: ['kinscan'],
    codeLengths: [48],
    variants: ablationVariants,
    views: ['variants'],
  },
];

/** What of an experiment is wanted; what is not named is whole. */
export interface ExperimentPart {
  readonly methods?: readonly string[] | undefined;
  readonly codeLengths?: readonly number[] | undefined;
}

/**
 * An experiment cut down to some of its methods and code lengths: parts measured into one folder, side by side or one
 * after the other, are together what the whole experiment goes on from.
 * @throws KinscanError INVALID_ARGUMENT where a part is named that the experiment does not have
 */
export function partOf(experiment: Experiment, part: ExperimentPart): Experiment {
  const { variants } = experiment;
  const methods = chosen('method', experiment.methods, part.methods);
  return {
    ...experiment,
    methods,
    codeLengths: chosen('code length', experiment.codeLengths, part.codeLengths),
    ...(variants && { variants: variants.filter(({ method }) => methods.includes(method)) }),
  };
}

function chosen<Item extends string | number>(
  what: string,
  all: readonly Item[],
  wanted: readonly Item[] | undefined,
): readonly Item[] {
  if (wanted === undefined) return all;
  const unknown = wanted.find((item) => !all.includes(item));
  if (unknown === undefined) return all.filter((item) => wanted.includes(item));
  throw new KinscanError('INVALID_ARGUMENT', `no ${what} '${unknown}' here; there are ${all.join(', ')}`);
}
