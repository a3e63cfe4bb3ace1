/** What one experiment compares and shows. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** Names of methods, the one that is expected to win first. */
  readonly methods: readonly string[];
  readonly codeLengths: readonly number[];
  /** What the page shows of the measurements. */
  readonly views: readonly ExperimentView[];
}

/**
 * map-by-length  mAP over the top results, a row per method and a column per code length, the paper's beside
 * curve          mAP against the number of results
 * accuracy-time  accuracy and time to retrieve one image
 * contact-sheet  the first ten results of the same query, method by method
 * unseen-class   mAP of queries whose class was left out of the training, class by class
 */
export type ExperimentView = 'map-by-length' | 'curve' | 'accuracy-time' | 'contact-sheet' | 'unseen-class';

const AGAINST_TRADITIONAL = ['kinscan', 'dh', 'ksh', 'mlh', 'sh', 'lsh'];
const AGAINST_DEEP = ['kinscan', 'dnnh', 'plain', 'cnnh', 'dh'];

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
];
