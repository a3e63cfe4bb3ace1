import type { SearchFilter } from '../../core/search-filter.js';
import { ATTRIBUTE_FIELDS, valueHash, type AttributeField } from './attribute-set.js';
import type { AttributeTable } from './attribute-table.js';

/** Which attribute sets pass a filter. */
export interface PassingSets {
  /** Bit n % 32 of word n / 32: set n passes. Never changed again. */
  readonly allowed: Uint32Array;
  /** Sets that were looked at: 0 to sets - 1. */
  readonly sets: number;
}

/** A list of a filter: sets whose value of the field is among these pass, or do not. */
interface Condition {
  readonly field: AttributeField;
  readonly excludes: boolean;
  readonly values: Set<number>;
  /** Hashes of values that no set has had so far. */
  unknown: Buffer[];
}

/**
 * A filter made out for the attribute sets of a shard server, one bit a set. It is made once and goes on with the sets
 * that are new: numbers and sets never change, and a value that was unknown cannot stand in a set that was looked at.
 */
export class FilterBitmap {
  readonly #table: AttributeTable;
  readonly #conditions: readonly Condition[];
  readonly #dateFrom: number;
  readonly #dateTo: number;
  #passing: PassingSets = { allowed: new Uint32Array(0), sets: 0 };

  constructor(filter: SearchFilter, table: AttributeTable) {
    this.#table = table;
    this.#conditions = conditionsOf(filter);
    this.#dateFrom = filter.studyDateFrom;
    this.#dateTo = filter.studyDateTo;
  }

  /** For all sets that the table has now. */
  current(): PassingSets {
    const table = this.#table;
    const { allowed: before, sets: from } = this.#passing;
    if (from === table.size) return this.#passing;
    for (const condition of this.#conditions) this.#resolve(condition);
    const allowed = new Uint32Array(Math.ceil(table.size / 32));
    allowed.set(before);
    for (let set = from; set < table.size; set++) {
      if (this.#passes(set)) allowed[set >>> 5] = (allowed[set >>> 5] as number) | (1 << (set & 31));
    }
    this.#passing = { allowed, sets: table.size };
    return this.#passing;
  }

  #resolve(condition: Condition): void {
    condition.unknown = condition.unknown.filter((hash) => {
      const value = this.#table.valueNumber(hash);
      if (value !== undefined) condition.values.add(value);
      return value === undefined;
    });
  }

  #passes(set: number): boolean {
    for (const { field, excludes, values } of this.#conditions) {
      if (values.has(this.#table.value(set, field)) === excludes) return false;
    }
    if (this.#dateFrom === 0 && this.#dateTo === 0) return true;
    const date = this.#table.studyDate(set);
    return date !== 0 && date >= this.#dateFrom && (this.#dateTo === 0 || date <= this.#dateTo);
  }
}

function conditionsOf(filter: SearchFilter): Condition[] {
  const lists: [AttributeField, boolean, readonly string[]][] = [
    ...ATTRIBUTE_FIELDS.map((field): [AttributeField, boolean, readonly string[]] => [
      field,
      false,
      filter[field],
    ]),
    ['studyInstanceUid', true, filter.excludeStudyInstanceUid],
    ['patientHash', true, filter.excludePatientHash],
  ];
  return lists
    .filter(([, , values]) => values.length > 0)
    .map(([field, excludes, values]) => ({
      field,
      excludes,
      values: new Set<number>(),
      unknown: values.map((value) => valueHash(value)),
    }));
}
