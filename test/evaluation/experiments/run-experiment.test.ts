import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KinscanError } from '../../../src/core/errors.js';
import {
  EXPERIMENTS,
  partOf,
  type Experiment,
} from '../../../src/evaluation/experiments/experiment-table.js';
import { withMirrorImages } from '../../../src/evaluation/experiments/mirror-images.js';
import { linePlotSvg } from '../../../src/evaluation/experiments/line-plot.js';
import {
  type ExperimentOptions,
  findExperiment,
  runExperiment,
} from '../../../src/evaluation/experiments/run-experiment.js';
import { encodeGrayPng } from '../../../src/imaging/raster.js';
import { NO_AUGMENTATION } from '../../../src/model/augmentation.js';
import { stripeSet } from '../rivals/toy-sets.js';

/** Cheap enough to run again and again. */
const SMALL: Experiment = {
  name: 'small',
  title: 'Small',
  methods: ['kinscan', 'dh', 'lsh'],
  codeLengths: [16],
  views: ['curve', 'contact-sheet'],
};
const CLASSES = ['diagonal', 'horizontal', 'vertical'];

describe('kinscan experiment, at toy size', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'kinscan-experiment-'));
    const { images } = stripeSet(16, 3, 11);
    const bytes = images.inputSize ** 2;
    for (const name of CLASSES) await mkdir(join(root, 'data', name), { recursive: true });
    for (const [i, label] of images.labels.entries()) {
      const png = await encodeGrayPng(
        images.pixels.slice(i * bytes, (i + 1) * bytes),
        images.inputSize,
        images.inputSize,
      );
      await writeFile(join(root, 'data', CLASSES[label] as string, `${i}.png`), png);
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  const run = (experiment: Experiment, overrides: Partial<ExperimentOptions> = {}) => {
    const reused: boolean[] = [];
    const options: ExperimentOptions = {
      experiment,
      dataFolder: join(root, 'data'),
      outFolder: join(root, 'out'),
      queryCount: 9,
      seed: 1,
      inputSize: 16,
      budget: {
        iterations: 3,
        trunkIterations: 0,
        batchSize: 12,
        augmentation: NO_AUGMENTATION,
        mirror: false,
      },
      top: 10,
      command: 'kinscan experiment',
      hardware: 'a test',
      dataTitle: 'stripes',
      now: () => 0,
      stopRequested: () => false,
      onProgress: () => undefined,
      onMeasured: (_, wasReused) => reused.push(wasReused),
      onSkip: () => undefined,
      ...overrides,
    };
    return runExperiment(options).then((result) => ({ result, reused }));
  };

  for (const experiment of EXPERIMENTS) {
    it(`${experiment.name} measures every method and writes its page`, async () => {
      const { result } = await run(experiment);
      assert.equal(result.complete, true);
      const perMethod = experiment.views.includes('unseen-class')
        ? CLASSES.length
        : experiment.codeLengths.length;
      const expected = experiment.variants?.length ?? experiment.methods.length * perMethod;
      assert.equal(result.measurements.length, expected);
      for (const one of result.measurements) {
        const [map, lowest, highest] = [
          one.mapAtK['10'],
          one.mapAtKLowest['10'],
          one.mapAtKHighest['10'],
        ] as number[];
        assert.ok((lowest as number) <= (map as number) && (map as number) <= (highest as number));
        assert.equal(one.gallery, 39);
      }
      const page = await readFile(join(root, 'out', `${experiment.name}.md`), 'utf8');
      assert.ok(page.startsWith(`# ${experiment.title}`));
      assert.doesNotMatch(page, /NaN|undefined/);
      for (const file of result.files.filter((path) => path.endsWith('.svg'))) {
        assert.doesNotMatch(await readFile(file, 'utf8'), /NaN|undefined/);
      }
    });
  }

  it('does not measure again what an earlier experiment has measured', async () => {
    const { reused } = await run(findExperiment('fig4'));
    assert.deepEqual(reused, [true, true, true, true, true, true]);
  });

  it('measures settings that are the same once, whatever the page calls them', async () => {
    const { result, reused } = await run(findExperiment('ablations'), { outFolder: join(root, 'ablations') });
    const names = result.measurements.map(({ variant }) => variant);
    assert.equal(new Set(names).size, names.length);
    // The first row of each of the six groups is the method as it is; one of the six is measured.
    assert.equal(reused.filter((one) => one).length, 5 + 1);
  });

  it('trains the shared trunk once, and every network goes on from it', async () => {
    const outFolder = join(root, 'trunk');
    const budget = {
      iterations: 1,
      trunkIterations: 2,
      batchSize: 12,
      augmentation: NO_AUGMENTATION,
      mirror: true,
    };
    const { result } = await run(findExperiment('fig6'), { outFolder, budget });
    assert.equal(result.measurements.length, 5);
    const kept = await readdir(join(outFolder, 'measurements'));
    assert.equal(kept.filter((file) => file.startsWith('trunk-')).length, 1);
    assert.ok(result.measurements.every(({ trainingImages }) => trainingImages === 39));
  });

  it('measures anew with another seed', async () => {
    const outFolder = join(root, 'seeds');
    await run(SMALL, { outFolder });
    assert.deepEqual((await run(SMALL, { outFolder, seed: 2 })).reused, [false, false, false]);
  });

  it('goes on where it was stopped', async () => {
    const outFolder = join(root, 'stopped');
    let asked = 0;
    const stopped = await run(SMALL, { outFolder, stopRequested: () => ++asked > 2 });
    assert.equal(stopped.result.complete, false);
    assert.equal((await readdir(join(outFolder, 'measurements'))).length, 2);
    const { reused } = await run(SMALL, { outFolder });
    assert.deepEqual(reused, [true, true, false]);
  });

  it('goes on from what its parts have measured', async () => {
    const outFolder = join(root, 'parts');
    const part = partOf(SMALL, { methods: ['lsh', 'dh'] });
    assert.deepEqual((await run(part, { outFolder })).reused, [false, false]);
    assert.deepEqual((await run(SMALL, { outFolder })).reused, [true, false, true]);
    const lengths = partOf(findExperiment('lengths'), { methods: ['ksh'], codeLengths: [32, 16] });
    const { result } = await run(lengths, { outFolder });
    assert.deepEqual(
      result.measurements.map(({ method, bits }) => [method, bits]),
      [
        ['ksh', 16],
        ['ksh', 32],
      ],
    );
  });

  it('has no parts but its own', () => {
    const refused = (error: unknown) => error instanceof KinscanError && /there are 16/.test(error.message);
    assert.throws(() => partOf(SMALL, { codeLengths: [48] }), refused);
    assert.throws(() => partOf(SMALL, { methods: ['cnnh'] }), /no method 'cnnh'/);
  });

  it('gives the same measurements for the same seed', async () => {
    const one = await run(SMALL, { outFolder: join(root, 'first') });
    const two = await run(SMALL, { outFolder: join(root, 'second') });
    assert.deepEqual(one.result.measurements, two.result.measurements);
  });

  it('puts every result of a query on the contact sheet, with right and wrong ones told apart', async () => {
    const { result } = await run(findExperiment('fig3'));
    const sheet = await readFile(result.files.find((file) => file.endsWith('fig3-1.svg')) as string, 'utf8');
    // six methods with ten results each, and the query
    assert.equal(sheet.match(/<image /g)?.length, 61);
    const right = sheet.match(/stroke="#009e73"/g)?.length ?? 0;
    const wrong = sheet.match(/stroke="#d00000"/g)?.length ?? 0;
    assert.equal(right + wrong, 60);
  });

  it('knows its experiments by name', () => {
    const unknown = (error: unknown) => error instanceof KinscanError && error.code === 'INVALID_ARGUMENT';
    assert.throws(() => findExperiment('table9'), unknown);
  });
});

describe('mirror images', () => {
  it('follow the images, left and right swapped, with their classes', () => {
    const { images } = withMirrorImages({
      images: {
        inputSize: 2,
        classNames: ['a', 'b'],
        labels: Uint16Array.from([1, 0]),
        pixels: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
      },
      descriptors: new Float32Array(0),
      descriptorDimensions: 0,
    });
    assert.deepEqual([...images.labels], [1, 0, 1, 0]);
    assert.deepEqual([...images.pixels], [1, 2, 3, 4, 5, 6, 7, 8, 2, 1, 4, 3, 6, 5, 8, 7]);
  });
});

describe('a line plot', () => {
  it('draws a point for every value, higher values higher up, and escapes titles', () => {
    const svg = linePlotSvg({
      title: 'a < b',
      xTitle: 'K',
      yTitle: 'mAP',
      series: [
        {
          title: 'one & two',
          points: [
            [5, 0.9],
            [100, 0.5],
          ],
        },
      ],
    });
    const heights = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, , y]) => Number(y));
    assert.equal(heights.length, 2);
    assert.ok((heights[0] as number) < (heights[1] as number));
    assert.match(svg, /a &lt; b/);
    assert.match(svg, /one &amp; two/);
  });
});
