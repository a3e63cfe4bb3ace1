import type { DataSet, Element } from 'dicom-parser';

/** Longest text value that is read; the longest used here is a list of a few numbers of 16 characters. */
const TEXT_BYTES_MAX = 1024;

/** Parsed elements of a data set or of a sequence's item. A value that is absent or malformed reads as undefined. */
export class Elements {
  readonly #dataSet: DataSet;

  constructor(dataSet: DataSet) {
    this.#dataSet = dataSet;
  }

  has(tag: string): boolean {
    return this.find(tag) !== undefined;
  }

  /** @param tag as 'x00080060' */
  find(tag: string): Element | undefined {
    return this.#dataSet.elements[tag];
  }

  /** The bytes of a value, cut off where the parsed part of the file ends. */
  bytes(tag: string): Uint8Array | undefined {
    const element = this.find(tag);
    if (element === undefined) return undefined;
    return this.#dataSet.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
  }

  /** The first of a text value's parts (they are separated by backslashes), without padding. */
  text(tag: string): string | undefined {
    const bytes = this.bytes(tag);
    if (bytes === undefined || bytes.length > TEXT_BYTES_MAX) return undefined;
    const [first] = String.fromCharCode(...bytes).split('\\');
    // padding is a space, or a zero byte in UIDs
    const text = first?.replace(/\0[^]*$/, '').trim();
    return text === '' ? undefined : text;
  }

  /** A number written as text (VR DS or IS). */
  decimal(tag: string): number | undefined {
    const text = this.text(tag);
    if (text === undefined) return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  /** A 16-bit value (VR US, or SS where `signed`); of several, the one at `index`. */
  integer16(tag: string, options: { signed?: boolean; index?: number } = {}): number | undefined {
    const index = options.index ?? 0;
    const bytes = this.bytes(tag);
    if (bytes === undefined || bytes.length < 2 * index + 2) return undefined;
    return options.signed === true ? this.#dataSet.int16(tag, index) : this.#dataSet.uint16(tag, index);
  }

  /** An item of a sequence. */
  item(sequenceTag: string, index: number): Elements | undefined {
    const dataSet = this.find(sequenceTag)?.items?.[index]?.dataSet;
    return dataSet === undefined ? undefined : new Elements(dataSet);
  }

  /**
   * Where a multi-frame's attributes stand: the macro sequence of this frame (Per-frame Functional Groups, 5200,9230), of
   * all frames (Shared, 5200,9229), else these elements themselves (DICOM PS3.3 section C.7.6.16).
   */
  ofFrame(frameIndex: number, macroTag: string): Elements {
    const perFrame = this.item('x52009230', frameIndex)?.item(macroTag, 0);
    return perFrame ?? this.item('x52009229', 0)?.item(macroTag, 0) ?? this;
  }
}
