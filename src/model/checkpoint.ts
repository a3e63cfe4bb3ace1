import { readFile } from 'node:fs/promises';
import { KinscanError } from '../core/errors.js';
import { writeFileAtomically } from './atomic-file.js';
import { sizeOfShape, type Network } from './network.js';
import type { RetrievalScore } from './retrieval-score.js';
import type { Weights } from './weights.js';

/** The best weights so far by the validation score, and where they were reached. */
export interface BestSoFar {
  readonly iteration: number;
  readonly score: RetrievalScore;
  readonly weights: Weights;
}

/** Everything that a run needs to go on exactly as if it had not stopped. */
export interface Checkpoint {
  /** Iterations done. */
  readonly iteration: number;
  readonly weights: Weights;
  readonly velocities: Weights;
  readonly best: BestSoFar | undefined;
  /** Validations since the best one. */
  readonly validationsWithoutGain: number;
  /** SHA-256 over settings and data; a run resumes only with the same ones. */
  readonly fingerprint: string;
}

interface Header {
  readonly format: 'kinscan-checkpoint-1';
  readonly fingerprint: string;
  readonly iteration: number;
  readonly validationsWithoutGain: number;
  readonly best: { readonly iteration: number; readonly score: RetrievalScore } | null;
}

/*
 *  | header length, uint32 LE | header, JSON | weights | velocities | best weights, if any |
 *                                             each: float32 LE, parameter by parameter
 */
export async function writeCheckpoint(file: string, network: Network, checkpoint: Checkpoint): Promise<void> {
  const { best, fingerprint, iteration, validationsWithoutGain } = checkpoint;
  const header: Header = {
    format: 'kinscan-checkpoint-1',
    fingerprint,
    iteration,
    validationsWithoutGain,
    best: best === undefined ? null : { iteration: best.iteration, score: best.score },
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const sets = [checkpoint.weights, checkpoint.velocities, ...(best === undefined ? [] : [best.weights])];
  await writeFileAtomically(
    file,
    Buffer.concat([length, text, ...sets.map((set) => weightsToBytes(network, set))]),
  );
}

/** @throws KinscanError INVALID_ARGUMENT where the checkpoint is damaged or belongs to other settings or data */
export async function readCheckpoint(
  file: string,
  network: Network,
  fingerprint: string,
): Promise<Checkpoint> {
  const bytes = await readFile(file);
  const { header, body } = splitHeader(bytes);
  if (header.fingerprint !== fingerprint) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      'the checkpoint was made with other settings or other images; resume with the same ones',
    );
  }
  const setBytes = network.parameters.reduce((sum, spec) => sum + 4 * sizeOfShape(spec.shape), 0);
  if (body.length !== setBytes * (header.best === null ? 2 : 3)) throw damaged();
  const set = (index: number): Weights =>
    weightsFromBytes(network, body.subarray(index * setBytes, (index + 1) * setBytes));
  return {
    iteration: header.iteration,
    validationsWithoutGain: header.validationsWithoutGain,
    fingerprint,
    weights: set(0),
    velocities: set(1),
    best: header.best === null ? undefined : { ...header.best, weights: set(2) },
  };
}

function splitHeader(bytes: Buffer): { header: Header; body: Buffer } {
  if (bytes.length < 4) throw damaged();
  const length = bytes.readUInt32LE(0);
  try {
    const header = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as Header;
    if (header.format !== 'kinscan-checkpoint-1') throw damaged();
    return { header, body: bytes.subarray(4 + length) };
  } catch (error) {
    throw damaged(error);
  }
}

function damaged(cause?: unknown): KinscanError {
  return new KinscanError('INVALID_ARGUMENT', 'the checkpoint is damaged; start without --resume', { cause });
}

/** Float32 little-endian, in the order of network.parameters. */
export function weightsToBytes(network: Network, weights: Weights): Buffer {
  return Buffer.concat(
    network.parameters.map((spec) => {
      const values = weights.get(spec.name) as Float32Array;
      return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    }),
  );
}

/** @param bytes exactly the bytes of weightsToBytes */
export function weightsFromBytes(network: Network, bytes: Buffer): Weights {
  let at = 0;
  return new Map(
    network.parameters.map((spec) => {
      const values = new Float32Array(sizeOfShape(spec.shape));
      Buffer.from(values.buffer).set(bytes.subarray(at, at + values.byteLength));
      at += values.byteLength;
      return [spec.name, values];
    }),
  );
}
