import { createHash } from 'node:crypto';
import { Random } from '../core/random.js';

/**
 * The random numbers for one purpose and one step of a run: the same (seed, purpose, index) always gives the same
 * stream, so a run resumes from its iteration number alone and needs no stored generator state.
 */
export function seededRandom(seed: number, purpose: string, index = 0): Random {
  return new Random(createHash('sha256').update(`${seed}/${purpose}/${index}`).digest().readUInt32LE(0));
}
