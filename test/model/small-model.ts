import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { saveModel } from '../../src/model/artefact.js';
import { hashingNetwork } from '../../src/model/network.js';
import { seededRandom } from '../../src/model/seeded-random.js';
import { initialWeights } from '../../src/model/weights.js';

/** An untrained model on disk, with biases that are not 0: enough for everything but quality. */
export async function writeSmallModel(options: {
  inputSize: number;
  codeBits: number;
  fineCodeBits?: number;
}): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'kinscan-model-'));
  const network = hashingNetwork(options);
  const random = seededRandom(1, 'small model');
  const weights = new Map(
    [...initialWeights(network, 1)].map(([name, values]) => [
      name,
      name.endsWith('bias') ? values.map(() => 0.1 * random.normal()) : values,
    ]),
  );
  await saveModel(folder, {
    network,
    weights,
    standardisation: { mean: Math.fround(0.31), std: Math.fround(0.22) },
    classNames: ['a', 'b'],
    training: { seed: 1 },
    metrics: {},
  });
  return folder;
}
