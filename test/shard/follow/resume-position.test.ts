import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KinscanError } from '../../../src/core/errors.js';
import { resumePosition } from '../../../src/shard/follow/resume-position.js';
import { POSITION_START } from '../../../src/shard/store/record-store.js';

const LOG = { created: 'monday', firstSequence: 1, lastSequence: 100 };
const APPLIED = { sequence: 60, generation: 2, log: 'monday' };

function isTrimmed(error: unknown): boolean {
  return error instanceof KinscanError && error.code === 'LOG_TRIMMED';
}

describe('where a partition goes on in the log', () => {
  it('is the beginning for a partition that is new', () => {
    const started = { sequence: 0, generation: 0, log: 'monday' };
    assert.deepEqual(resumePosition(POSITION_START, LOG), started);
    const empty = { created: 'monday', firstSequence: 0, lastSequence: 0 };
    assert.deepEqual(resumePosition(POSITION_START, empty), started);
  });

  it('is where it was in the same log, also where all before it is gone', () => {
    assert.equal(resumePosition(APPLIED, LOG), APPLIED);
    assert.equal(resumePosition(APPLIED, { ...LOG, firstSequence: 61 }), APPLIED);
    assert.equal(resumePosition(APPLIED, { ...LOG, lastSequence: 60 }), APPLIED);
  });

  it('is the end, as a new generation, where the log has lost what was applied', () => {
    const expected = { sequence: 40, generation: 3, log: 'monday' };
    assert.deepEqual(resumePosition(APPLIED, { ...LOG, lastSequence: 40 }), expected);
  });

  it('is the beginning, as a new generation, where it is another log', () => {
    const expected = { sequence: 0, generation: 3, log: 'tuesday' };
    assert.deepEqual(resumePosition(APPLIED, { ...LOG, created: 'tuesday' }), expected);
  });

  it('is nowhere where entries that were not applied are gone', () => {
    assert.throws(() => resumePosition(POSITION_START, { ...LOG, firstSequence: 2 }), isTrimmed);
    assert.throws(() => resumePosition(APPLIED, { ...LOG, firstSequence: 62 }), isTrimmed);
    assert.throws(() => resumePosition(APPLIED, { ...LOG, created: 'tuesday', firstSequence: 5 }), isTrimmed);
  });
});
