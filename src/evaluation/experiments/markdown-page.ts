import type { Rival, TrainingBudget } from '../rivals/rival.js';
import { RIVALS } from '../rivals/rival-table.js';
import type { Experiment } from './experiment-table.js';
import type { Measurement } from './measurement.js';
import { PAPER_TABLE_1, PAPER_TABLE_2 } from './paper-figures.js';

/** What a page says about how its figures came about. */
export interface RunFacts {
  readonly command: string;
  readonly hardware: string;
  /** Wall time of this run; measurements taken over from earlier runs cost none. */
  readonly seconds: number;
  readonly reused: number;
  readonly data: string;
  readonly classes: readonly string[];
  readonly seed: number;
  readonly inputSize: number;
  readonly budget: TrainingBudget;
  readonly top: number;
}

/** The Markdown page of one experiment; plots are referred to by file name. */
export function markdownPage(
  experiment: Experiment,
  measurements: readonly Measurement[],
  facts: RunFacts,
  plots: readonly string[],
): string {
  const [first] = measurements;
  const sections = experiment.views.map((view) => {
    switch (view) {
      case 'map-by-length':
        return mapByLength(measurements, experiment, facts.top);
      case 'curve':
        return curveTable(measurements.filter(({ bits }) => bits === curveBits(experiment)));
      case 'accuracy-time':
        return accuracyAndTime(measurements.filter(({ bits }) => bits === curveBits(experiment)));
      case 'unseen-class':
        return unseenClasses(measurements, facts.top);
      case 'variants':
        return variantTable(measurements, facts.top);
      case 'contact-sheet':
        return 'The contact sheets of this run show images of the data set; they lie beside the results and are not committed.';
    }
  });
  return [
    `# ${experiment.title}`,
    '',
    `${first?.queries ?? 0} queries against ${first?.gallery ?? 0} images (${facts.data}; classes ${facts.classes.join(', ')}), which are the training set too. Seed ${facts.seed}; networks see ${facts.inputSize}×${facts.inputSize} pixels and train for ${facts.budget.iterations} mini-batches of ${facts.budget.batchSize}${trunkInWords(facts.budget)}, ${augmentationInWords(facts.budget)}. Relevant means of the same class; tied results in canonical order unless worst ties are named.`,
    '',
    '```sh',
    facts.command,
    '```',
    '',
    `Hardware: ${facts.hardware}. Time of this run: ${facts.seconds.toFixed(0)} s${facts.reused > 0 ? `, ${facts.reused} of ${measurements.length} measurements taken over from earlier runs` : ''}.`,
    '',
    ...sections.flatMap((section) => [section, '']),
    ...plots.flatMap((plot) => [`![${plot}](${plot})`, '']),
    ...codesSection(measurements),
    ...methodsSection(experiment),
  ].join('\n');
}

/** The code length at which curves, accuracy and time are shown: the paper's default where it was measured. */
export function curveBits(experiment: Experiment): number {
  return experiment.codeLengths.includes(48) ? 48 : (experiment.codeLengths[0] as number);
}

export function titleOf(method: string): string {
  return rivalOf(method).title;
}

function mapByLength(measurements: readonly Measurement[], experiment: Experiment, top: number): string {
  const k = String(top);
  const lengths = experiment.codeLengths;
  const cell = (method: string, bits: number, value: (measurement: Measurement) => number) => {
    const found = measurements.find((one) => one.method === method && one.bits === bits);
    return found === undefined ? '' : value(found).toFixed(4);
  };
  const table = (title: string, value: (measurement: Measurement) => number) => [
    `## ${title}`,
    '',
    ...markdownTable(
      ['method', ...lengths.map((bits) => `${bits} bits`)],
      experiment.methods.map((method) => [
        titleOf(method),
        ...lengths.map((bits) => cell(method, bits, value)),
      ]),
    ),
    '',
  ];
  const paperMethods = experiment.methods.filter((method) => method in PAPER_TABLE_1);
  return [
    ...table(`mAP@${k}`, (one) => one.mapAtK[k] ?? 0),
    ...table(`mAP@${k}, worst ties`, (one) => one.mapAtKWorstTies[k] ?? 0),
    ...table(`mAP@${k} when ranking by the values before the sign`, (one) => one.floatMapAtK[k] ?? 0),
    `## The paper's mAP@100 (VIA/I-ELCAP)`,
    '',
    ...markdownTable(
      ['method', ...lengths.map((bits) => `${bits} bits`)],
      paperMethods.map((method) => [
        titleOf(method),
        ...lengths.map((bits) => PAPER_TABLE_1[method]?.[String(bits)]?.toFixed(4) ?? ''),
      ]),
    ),
    '',
    ...lengths.map((bits) => orderLine(measurements, paperMethods, bits, k)),
  ].join('\n');
}

/** Whether our order of methods is the paper's, in words. */
function orderLine(
  measurements: readonly Measurement[],
  methods: readonly string[],
  bits: number,
  k: string,
): string {
  const ours = new Map(
    measurements.filter((one) => one.bits === bits).map((one) => [one.method, one.mapAtK[k] ?? 0]),
  );
  const byOurs = methods
    .filter((method) => ours.has(method))
    .sort((a, b) => (ours.get(b) ?? 0) - (ours.get(a) ?? 0));
  const paperOf = (method: string) => PAPER_TABLE_1[method]?.[String(bits)] ?? 0;
  const byPaper = [...byOurs].sort((a, b) => paperOf(b) - paperOf(a));
  const same = byOurs.every((method, i) => method === byPaper[i]);
  const names = (order: readonly string[]) => order.map(titleOf).join(' > ');
  return same
    ? `- ${bits} bits: the order is the paper's.`
    : `- ${bits} bits: the order differs. Here ${names(byOurs)}; in the paper ${names(byPaper)}.`;
}

function curveTable(measurements: readonly Measurement[]): string {
  const cutOffs = Object.keys(measurements[0]?.mapAtK ?? {});
  const rows = (pick: (one: Measurement) => Record<string, number>) =>
    measurements.map((one) => [titleOf(one.method), ...cutOffs.map((k) => (pick(one)[k] ?? 0).toFixed(4))]);
  return [
    `## mAP@K at ${measurements[0]?.bits ?? 0} bits`,
    '',
    ...markdownTable(
      ['method', ...cutOffs],
      rows((one) => one.mapAtK),
    ),
    '',
    '### Worst ties',
    '',
    ...markdownTable(
      ['method', ...cutOffs],
      rows((one) => one.mapAtKWorstTies),
    ),
  ].join('\n');
}

function accuracyAndTime(measurements: readonly Measurement[]): string {
  return [
    '## Accuracy and time',
    '',
    'Accuracy: the 10 nearest results vote. Time: to describe, encode and rank one query in this process, reading the file left out; a batch of queries is encoded together. Training time is of the whole fit.',
    '',
    ...markdownTable(
      ['method', 'accuracy %', 'ms per query', 'fit, s', "paper's accuracy %", "paper's ms"],
      measurements.map((one) => [
        titleOf(one.method),
        (100 * one.accuracy).toFixed(2),
        one.millisPerQuery.toFixed(3),
        one.fitSeconds.toFixed(0),
        PAPER_TABLE_2[one.method]?.accuracy.toFixed(2) ?? '',
        PAPER_TABLE_2[one.method]?.millis.toFixed(3) ?? '',
      ]),
    ),
  ].join('\n');
}

function unseenClasses(measurements: readonly Measurement[], top: number): string {
  const k = String(top);
  return [
    '## Queries of a class that the training never saw',
    '',
    'Each row is a network trained without one class; the gallery holds all classes, the queries are of that class alone. Chance is the share of the class in the gallery.',
    '',
    ...markdownTable(
      [
        'class left out',
        'queries',
        `mAP@${k}`,
        'worst ties',
        'before the sign',
        `precision@${k}`,
        'accuracy %',
      ],
      measurements.map((one) => [
        one.unseenClass ?? '(none)',
        one.queries,
        (one.mapAtK[k] ?? 0).toFixed(4),
        (one.mapAtKWorstTies[k] ?? 0).toFixed(4),
        (one.floatMapAtK[k] ?? 0).toFixed(4),
        (one.precisionAtK[k] ?? 0).toFixed(4),
        (100 * one.accuracy).toFixed(2),
      ]),
    ),
  ].join('\n');
}

function variantTable(measurements: readonly Measurement[], top: number): string {
  const k = String(top);
  return [
    '## Variants',
    '',
    ...markdownTable(
      ['method', 'variant', `mAP@${k}`, 'worst ties', 'before the sign', 'accuracy %', 'distinct codes'],
      measurements.map((one) => [
        titleOf(one.method),
        one.variant ?? '',
        (one.mapAtK[k] ?? 0).toFixed(4),
        (one.mapAtKWorstTies[k] ?? 0).toFixed(4),
        (one.floatMapAtK[k] ?? 0).toFixed(4),
        (100 * one.accuracy).toFixed(2),
        one.distinctCodes,
      ]),
    ),
  ].join('\n');
}

function trunkInWords({ trunkIterations }: TrainingBudget): string {
  return trunkIterations === 0
    ? ''
    : ` after ${trunkIterations} in which the trunk they share learned to tell the classes apart`;
}

function augmentationInWords({ augmentation, mirror }: TrainingBudget): string {
  const { rotationDegrees, shift, scale, intensity, noise } = augmentation;
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const kinds = [
    ...(mirror ? ['mirrored'] : []),
    ...(rotationDegrees > 0 ? [`turned up to ${rotationDegrees}°`] : []),
    ...(shift > 0 ? [`shifted up to ${percent(shift)}`] : []),
    ...(scale > 0 ? [`scaled up to ${percent(scale)}`] : []),
    ...(intensity > 0 ? [`brightness and contrast changed up to ${percent(intensity)}`] : []),
    ...(noise > 0 ? [`noise of ${percent(noise)}`] : []),
  ];
  return kinds.length === 0 ? 'images as they are' : `images ${kinds.join(', ')}`;
}

function codesSection(measurements: readonly Measurement[]): string[] {
  return [
    '## Codes of the gallery',
    '',
    ...markdownTable(
      [
        'method',
        'bits',
        'distinct codes',
        'largest bucket',
        'least bit entropy',
        'mean bit entropy',
        'least distance of class centres',
      ],
      measurements.map((one) => [
        `${titleOf(one.method)}${one.unseenClass === null ? '' : ` without ${one.unseenClass}`}`,
        one.bits,
        one.distinctCodes,
        one.largestBucket,
        one.leastBitEntropy.toFixed(3),
        one.meanBitEntropy.toFixed(3),
        one.leastCentreDistance,
      ]),
    ),
    '',
  ];
}

function methodsSection(experiment: Experiment): string[] {
  return [
    '## Methods',
    '',
    ...experiment.methods.map(rivalOf).map((rival) => {
      const parameters = Object.entries(rival.hyperParameters).map(([name, value]) => `${name} ${value}`);
      const input = rival.input === 'images' ? 'the shared convolutional trunk' : 'GIST, 512 numbers';
      return `- **${rival.title}**: ${rival.citation}. Input: ${input}. ${parameters.join(', ')}.`;
    }),
    '',
  ];
}

function rivalOf(method: string): Rival {
  return RIVALS.find(({ name }) => name === method) as Rival;
}

function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const lineOf = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [lineOf(head), `|${'---|'.repeat(head.length)}`, ...rows.map(lineOf)];
}
