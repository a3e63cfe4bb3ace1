import { createHmac } from 'node:crypto';
import { KinscanError } from '../core/errors.js';
import type { ClusterState } from '../runtime/cluster-state.js';
import type { EngineDescription } from './inference-worker.js';

/**
 * The first encoder decides the collection's model; one with another model must not add codes to it.
 * @throws KinscanError MODEL_VERSION_MISMATCH
 */
export async function claimModel(state: ClusterState, engine: EngineDescription): Promise<void> {
  const { modelVersion, codeBits, fineCodeBits } = engine;
  const recorded = await state.createOrRead('model', { modelVersion, codeBits, fineCodeBits });
  if (recorded.modelVersion !== modelVersion) {
    throw new KinscanError(
      'MODEL_VERSION_MISMATCH',
      `the index holds codes of model ${recorded.modelVersion}, this encoder has ${modelVersion}`,
    );
  }
}

/** Digits kept of the key's fingerprint: enough to tell keys apart, and of no use to whoever looks for the key. */
const FINGERPRINT_LENGTH = 16;

/**
 * The first encoder that has a patient hash key decides which: with two, one patient would be two.
 * @param key of 32 characters at least; empty: this encoder makes no patient hashes
 * @throws KinscanError INVALID_ARGUMENT, with neither key in the text
 */
export async function claimPatientHashKey(state: ClusterState, key: string): Promise<void> {
  if (key === '') return;
  const digest = createHmac('sha256', key).update('kinscan patient hash key').digest('hex');
  const fingerprint = digest.slice(0, FINGERPRINT_LENGTH);
  const recorded = await state.createOrRead('patientHashKey', { fingerprint });
  if (recorded.fingerprint !== fingerprint) {
    throw new KinscanError(
      'INVALID_ARGUMENT',
      '--patient-hash-key is not the key that the patient hashes of this collection are made with',
    );
  }
}
