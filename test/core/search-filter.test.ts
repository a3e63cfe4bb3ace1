import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkSearchFilter,
  FILTER_LISTS,
  FILTER_VALUES_MAX,
  isEmptyFilter,
  type SearchFilter,
} from '../../src/core/search-filter.js';

const HASH = 'ab'.repeat(32);
const NOTHING: SearchFilter = {
  ...(Object.fromEntries(FILTER_LISTS.map((list) => [list, []])) as unknown as Record<
    (typeof FILTER_LISTS)[number],
    readonly string[]
  >),
  studyDateFrom: 0,
  studyDateTo: 0,
};
const refusedWith = (filter: Partial<SearchFilter>) => {
  try {
    checkSearchFilter({ ...NOTHING, ...filter });
  } catch (error) {
    return error as Error & { code: string };
  }
  return undefined;
};

describe('a filter', () => {
  it('of good values is taken', () => {
    assert.equal(refusedWith({}), undefined);
    const good = {
      label: ['liver', 'Leber, größer'],
      modality: ['CT', 'MR'],
      studyInstanceUid: ['1.2.3'],
      patientHash: [HASH],
      excludePatientHash: [HASH],
      studyDateFrom: 20240229,
      studyDateTo: 20240229,
    };
    assert.equal(refusedWith(good), undefined);
    assert.equal(
      refusedWith({ label: Array.from({ length: FILTER_VALUES_MAX }, (_, n) => `${n}`) }),
      undefined,
    );
  });

  it('is refused beyond its limits, and where a value cannot be one of its field', () => {
    const bad: Partial<SearchFilter>[] = [
      { label: [''] },
      { label: ['l'.repeat(257)] },
      { label: Array.from({ length: FILTER_VALUES_MAX + 1 }, (_, n) => `${n}`) },
      { label: Array.from({ length: 600 }, () => 'l'.repeat(256)) },
      { studyInstanceUid: ['not a uid'] },
      { seriesInstanceUid: ['1.2', '1.2x'] },
      { excludeStudyInstanceUid: ['*'] },
      { patientHash: ['12345'] },
      { excludePatientHash: [HASH.toUpperCase()] },
      { studyDateFrom: 20230229 },
      { studyDateTo: 5 },
      { studyDateFrom: 20240102, studyDateTo: 20240101 },
    ];
    for (const filter of bad) {
      const error = refusedWith(filter);
      assert.equal(error?.code, 'INVALID_FILTER', JSON.stringify(filter).slice(0, 80));
    }
  });

  it('is refused without telling the value, which may name a patient', () => {
    assert.ok(!refusedWith({ patientHash: ['Doe^Jane'] })?.message.includes('Doe'));
  });

  it('is empty only where it asks for nothing', () => {
    assert.ok(isEmptyFilter(NOTHING));
    for (const list of FILTER_LISTS) assert.equal(isEmptyFilter({ ...NOTHING, [list]: ['1'] }), false);
    assert.equal(isEmptyFilter({ ...NOTHING, studyDateTo: 20240101 }), false);
  });
});
