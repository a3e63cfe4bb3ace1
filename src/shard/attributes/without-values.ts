import type { AttributeField } from './attribute-set.js';
import type { AttributeTable } from './attribute-table.js';
import type { PassingSets } from './filter-bitmap.js';

/** All attribute sets that the table has now. */
export function allSets(table: AttributeTable): PassingSets {
  return { allowed: new Uint32Array(Math.ceil(table.size / 32)).fill(0xffff_ffff), sets: table.size };
}

/** The sets that pass, but for those whose value of the field is among these. */
export function withoutValues(
  { allowed, sets }: PassingSets,
  table: AttributeTable,
  field: AttributeField,
  values: ReadonlySet<number>,
): PassingSets {
  const left = allowed.slice();
  for (let set = 0; set < sets; set++) {
    if (values.has(table.value(set, field)))
      left[set >>> 5] = (left[set >>> 5] as number) & ~(1 << (set & 31));
  }
  return { allowed: left, sets };
}
