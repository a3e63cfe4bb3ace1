import { assert } from '../../core/errors.js';
import {
  ATTRIBUTE_FIELDS,
  ATTRIBUTE_SET_BYTES,
  STUDY_DATE_OFFSET,
  VALUE_HASH_BYTES,
  type AttributeField,
} from './attribute-set.js';
import { InternTable } from './intern-table.js';

const FIELD_COUNT = ATTRIBUTE_FIELDS.length;
const HASH_WORDS = VALUE_HASH_BYTES / 4;
/** A packed set: the hashes, then the study date. */
const SET_WORDS = ATTRIBUTE_SET_BYTES / 4;

/**
 * The distinct attribute sets of a shard server's images, numbered 0, 1, 2, ... in the order in which they came; number
 * 0 is the set without any value. A set's number never changes and stands in every row of the index.
 *
 *     values   128-bit value hash                                        ─▶ value number
 *     sets     (value number of each field, study date as YYYYMMDD)      ─▶ set number
 */
export class AttributeTable {
  readonly #values = new InternTable(HASH_WORDS);
  readonly #sets = new InternTable(FIELD_COUNT + 1);
  /** The packed set and the tuple at hand: start-up interns every set, so none of it allocates. */
  readonly #packed = new Uint32Array(SET_WORDS);
  readonly #set = new Uint32Array(FIELD_COUNT + 1);

  /** Sets known, number 0 included. */
  get size(): number {
    return this.#sets.size;
  }

  get byteLength(): number {
    return this.#values.byteLength + this.#sets.byteLength;
  }

  /** The number of a packed attribute set (packAttributes), given now where it is new. */
  intern(packed: Uint8Array): number {
    assert(packed.length === ATTRIBUTE_SET_BYTES, 'a packed attribute set has a fixed length');
    new Uint8Array(this.#packed.buffer).set(packed);
    return this.internWords(this.#packed, 0);
  }

  /** The same for a packed set that is there as words, from word `at` on. */
  internWords(words: Uint32Array, at: number): number {
    const set = this.#set;
    for (let field = 0; field < FIELD_COUNT; field++) {
      set[field] = this.#values.intern(words, at + field * HASH_WORDS);
    }
    set[FIELD_COUNT] = words[at + FIELD_COUNT * HASH_WORDS] as number;
    return this.#sets.intern(set);
  }

  /** Makes room for so many sets in all, and as many values, before they come. */
  reserve(sets: number): void {
    this.#values.reserve(sets);
    this.#sets.reserve(sets);
  }

  /** The packed attribute set of a number: interning the sets 1, 2, ... in order gives the same table again. */
  packed(number: number): Buffer {
    const packed = Buffer.alloc(ATTRIBUTE_SET_BYTES);
    for (let i = 0; i < FIELD_COUNT; i++) {
      const words = this.#values.tuple(this.#sets.word(number, i));
      words.forEach((word, w) => packed.writeUInt32LE(word, i * VALUE_HASH_BYTES + w * 4));
    }
    packed.writeUInt32LE(this.studyDate(number), STUDY_DATE_OFFSET);
    return packed;
  }

  /** The number of a value by its hash; 0: no value; undefined: no image has it. */
  valueNumber(hash: Uint8Array): number | undefined {
    const words = new Uint32Array(HASH_WORDS);
    new Uint8Array(words.buffer).set(hash);
    return this.#values.find(words);
  }

  /** A value's number in a set; 0: none. */
  value(number: number, field: AttributeField): number {
    return this.#sets.word(number, ATTRIBUTE_FIELDS.indexOf(field));
  }

  /** The hash of a value number, 16 bytes. */
  valueHash(value: number): Buffer {
    const hash = Buffer.alloc(VALUE_HASH_BYTES);
    this.#values.tuple(value).forEach((word, w) => hash.writeUInt32LE(word, w * 4));
    return hash;
  }

  /** YYYYMMDD of a set; 0: unknown. */
  studyDate(number: number): number {
    return this.#sets.word(number, FIELD_COUNT);
  }
}
