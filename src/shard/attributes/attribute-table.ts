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
  /** The hash and the set at hand: start-up interns every set, so none of it allocates. */
  readonly #hash = new Uint32Array(HASH_WORDS);
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
    const bytes = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    for (let field = 0; field < FIELD_COUNT; field++) {
      readHash(bytes, field * VALUE_HASH_BYTES, this.#hash);
      this.#set[field] = this.#values.intern(this.#hash);
    }
    this.#set[FIELD_COUNT] = bytes.getUint32(STUDY_DATE_OFFSET, true);
    return this.#sets.intern(this.#set);
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
    readHash(new DataView(hash.buffer, hash.byteOffset, hash.byteLength), 0, this.#hash);
    return this.#values.find(this.#hash);
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

function readHash(bytes: DataView, offset: number, hash: Uint32Array): void {
  for (let w = 0; w < HASH_WORDS; w++) hash[w] = bytes.getUint32(offset + w * 4, true);
}
