import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ENCODER_CONFIG, checkEncoderConfig } from '../../src/encoder/config.js';
import { redactConfig, resolveConfig } from '../../src/runtime/config.js';
import { patientHashKeyOf } from '../../src/cli/up/patient-hash-key.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

describe('the patient hash key of a data folder', () => {
  it('is made once, at random, and readable by its owner alone', async () => {
    const [one, other] = [await temporaryFolder(), await temporaryFolder()];
    const key = patientHashKeyOf(one);
    assert.match(key, /^[0-9a-f]{64}$/);
    assert.equal(patientHashKeyOf(one), key);
    assert.notEqual(patientHashKeyOf(other), key);
    assert.equal(statSync(path.join(one, 'patient-hash.key')).mode & 0o777, 0o600);
  });

  it('that is damaged is not replaced silently: hashes would differ from then on', async () => {
    const folder = await temporaryFolder();
    writeFileSync(path.join(folder, 'patient-hash.key'), '');
    assert.throws(() => patientHashKeyOf(folder), { code: 'INVALID_ARGUMENT' });
  });
});

describe("an encoder's patient hash key", () => {
  const configOf = (key: string) =>
    resolveConfig(ENCODER_CONFIG, { argv: [], env: { KINSCAN_PATIENT_HASH_KEY: key } });

  it('comes from the environment and is hidden in the log', () => {
    const config = configOf('k'.repeat(40));
    checkEncoderConfig(config);
    assert.equal(config.patientHashKey, 'k'.repeat(40));
    assert.ok(!JSON.stringify(redactConfig(ENCODER_CONFIG, config)).includes('kkk'));
  });

  it('is refused where it is short enough to be guessed', () => {
    assert.throws(
      () => checkEncoderConfig(configOf('secret')),
      (error: Error) => {
        assert.match(error.message, /at least 32 characters/);
        return !error.message.includes('secret');
      },
    );
    checkEncoderConfig(configOf(''));
  });
});
