import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isCalendarDate, isPatientHash, isUid } from '../../src/core/metadata-values.js';

describe('a calendar date', () => {
  it('is every day that the calendar has', () => {
    const day = fc.date({
      min: new Date('1000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(day, (date) => {
        assert.ok(isCalendarDate(Number(date.toISOString().slice(0, 10).replaceAll('-', ''))));
      }),
    );
  });

  it('is none of these', () => {
    const wrong = [0, 1, 20240230, 20230229, 19000229, 20241301, 20240001, 20240100, 99991232, 20240101.5];
    for (const date of [...wrong, NaN, -20240101, Infinity])
      assert.equal(isCalendarDate(date), false, `${date}`);
    assert.ok(isCalendarDate(20240229) && isCalendarDate(20000229));
  });
});

describe('a UID and a patient hash', () => {
  it('have their own shapes', () => {
    assert.ok(isUid('1.2.840.10008.1.2') && isUid('1'.repeat(64)));
    for (const text of ['', '1'.repeat(65), '1.2a', '1.2\n', ' 1.2']) assert.equal(isUid(text), false);
    assert.ok(isPatientHash('0f'.repeat(32)));
    for (const text of ['', '0F'.repeat(32), '0f'.repeat(31), `${'0f'.repeat(32)}\n`, 'g'.repeat(64)]) {
      assert.equal(isPatientHash(text), false);
    }
  });
});
