import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { KinscanError } from '../core/errors.js';
import { writeFileAtomically } from './atomic-file.js';
import { weightsFromBytes, weightsToBytes } from './checkpoint.js';
import { hashingNetwork, sizeOfShape, type Network } from './network.js';
import { writeOnnx } from './onnx-writer.js';
import type { Standardisation } from './training-set.js';
import type { Weights } from './weights.js';

/*
 * A model is a folder:
 *   manifest.json   what it is; written last, so a folder with a manifest is whole
 *   weights.bin     float32 little-endian, parameter by parameter (TF.js weights format; ONNX external data)
 *   model.onnx      the graph, pointing into weights.bin
 *   README.md       the model card, for people
 */
const MANIFEST_FILE = 'manifest.json';
const WEIGHTS_FILE = 'weights.bin';
export const ONNX_FILE = 'model.onnx';
const FORMAT = 'kinscan-model-1';
/** The one kernel of imaging/resize.ts; another kernel would make other codes. */
const RESIZE_KERNEL = 'triangle-antialiased';

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  modelVersion: z.string().regex(/^[0-9a-f]{64}$/),
  codeBits: z.int(),
  fineCodeBits: z.int(),
  inputSize: z.int(),
  mean: z.number(),
  std: z.number().positive(),
  resizeKernel: z.literal(RESIZE_KERNEL),
  onnxSha256: z.string(),
  classNames: z.array(z.string()),
  /** The settings of the run, as they were resolved. */
  training: z.record(z.string(), z.unknown()),
  /** Held-out figures of the chosen weights, where there was a validation split. */
  metrics: z.record(z.string(), z.unknown()),
  /** TF.js's own form: tf.io.decodeWeights reads weights.bin with it. */
  weightsManifest: z.array(
    z.object({
      paths: z.array(z.string()),
      weights: z.array(z.object({ name: z.string(), shape: z.array(z.int()), dtype: z.literal('float32') })),
    }),
  ),
});

type Manifest = z.infer<typeof manifestSchema>;

/** What a training run hands over. */
export interface TrainedModel {
  readonly network: Network;
  readonly weights: Weights;
  readonly standardisation: Standardisation;
  readonly classNames: readonly string[];
  readonly training: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** A model as loaded: complete and checked. */
export interface Model extends TrainedModel {
  /** SHA-256 over weights and preprocessing, 64 hexadecimal digits. */
  readonly modelVersion: string;
  /** The folder it was loaded from. */
  readonly folder: string;
}

/** The SHA-256 that names a model: whatever changes a code changes it, nothing else does. */
export function modelVersionOf(
  network: Network,
  standardisation: Standardisation,
  weightBytes: Uint8Array,
): string {
  const preprocessing = {
    layers: network.layers,
    outputs: network.outputs,
    inputSize: network.inputSize,
    mean: standardisation.mean,
    std: standardisation.std,
    resizeKernel: RESIZE_KERNEL,
  };
  return createHash('sha256')
    .update(JSON.stringify(preprocessing))
    .update('\n')
    .update(weightBytes)
    .digest('hex');
}

/**
 * Writes a model folder. Everything is written into a folder beside it first and moved in, the manifest last: a failure
 * leaves either no manifest or the old model.
 * @returns its model version
 */
export async function saveModel(folder: string, model: TrainedModel): Promise<string> {
  const { network, standardisation } = model;
  const weightBytes = weightsToBytes(network, model.weights);
  const onnx = writeOnnx(network, standardisation, WEIGHTS_FILE);
  const manifest: Manifest = {
    format: FORMAT,
    modelVersion: modelVersionOf(network, standardisation, weightBytes),
    codeBits: network.codeBits,
    fineCodeBits: network.fineCodeBits,
    inputSize: network.inputSize,
    mean: standardisation.mean,
    std: standardisation.std,
    resizeKernel: RESIZE_KERNEL,
    onnxSha256: createHash('sha256').update(onnx).digest('hex'),
    classNames: [...model.classNames],
    training: model.training,
    metrics: model.metrics,
    weightsManifest: [
      {
        paths: [WEIGHTS_FILE],
        weights: network.parameters.map(({ name, shape }) => ({
          name,
          shape: [...shape],
          dtype: 'float32' as const,
        })),
      },
    ],
  };
  const files: [string, Uint8Array][] = [
    [WEIGHTS_FILE, weightBytes],
    [ONNX_FILE, onnx],
    [MANIFEST_FILE, Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)],
  ];
  const partial = path.join(folder, `.partial-${process.pid}`);
  await mkdir(partial, { recursive: true });
  try {
    for (const [name, bytes] of files) await writeFileAtomically(path.join(partial, name), bytes);
    await rm(path.join(folder, MANIFEST_FILE), { force: true });
    for (const [name] of files) await rename(path.join(partial, name), path.join(folder, name));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return manifest.modelVersion;
}

/**
 * Loads and checks a model folder: every file, every size, and the model version recomputed from the bytes.
 * @throws KinscanError INVALID_MODEL
 */
export async function loadModel(folder: string): Promise<Model> {
  const manifest = parseManifest(folder, await readModelFile(folder, MANIFEST_FILE));
  const weightBytes = await readModelFile(folder, WEIGHTS_FILE);
  const onnx = await readModelFile(folder, ONNX_FILE);
  const network = networkOf(folder, manifest);
  const bytesExpected = network.parameters.reduce((sum, spec) => sum + 4 * sizeOfShape(spec.shape), 0);
  if (weightBytes.length !== bytesExpected) {
    throw invalid(folder, `${WEIGHTS_FILE} has ${weightBytes.length} bytes instead of ${bytesExpected}`);
  }
  const standardisation = { mean: manifest.mean, std: manifest.std };
  if (modelVersionOf(network, standardisation, weightBytes) !== manifest.modelVersion) {
    throw invalid(folder, 'weights or preprocessing do not match the model version in the manifest');
  }
  if (createHash('sha256').update(onnx).digest('hex') !== manifest.onnxSha256) {
    throw invalid(folder, `${ONNX_FILE} does not match its checksum in the manifest`);
  }
  const weights = weightsFromBytes(network, weightBytes);
  const { classNames, training, metrics, modelVersion } = manifest;
  return { folder, network, weights, standardisation, classNames, training, metrics, modelVersion };
}

async function readModelFile(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path.join(folder, name));
  } catch (error) {
    throw invalid(folder, `${name} cannot be read`, error);
  }
}

function parseManifest(folder: string, bytes: Buffer): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const reason = issue === undefined ? 'is not JSON' : `${issue.path.join('.')}: ${issue.message}`;
    throw invalid(folder, `${MANIFEST_FILE} ${reason}`, error);
  }
}

function networkOf(folder: string, manifest: Manifest): Network {
  try {
    return hashingNetwork(manifest);
  } catch (error) {
    throw invalid(folder, error instanceof Error ? error.message : 'the network cannot be built', error);
  }
}

function invalid(folder: string, reason: string, cause?: unknown): KinscanError {
  return new KinscanError('INVALID_MODEL', `model ${folder}: ${reason}`, { cause });
}
