const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/**
 * Copies some fields of an encoded message, undecoded, in the order in which they come: much cheaper than decoding and
 * encoding where a message is only passed on (protobuf's encoding, "Message Structure").
 * @param message protobuf bytes
 * @param fields numbers of the top-level fields to keep
 * @throws RangeError where the bytes are not a message
 */
export function keepFields(message: Uint8Array, fields: ReadonlySet<number>): Buffer {
  const kept: Uint8Array[] = [];
  for (let at = 0; at < message.length;) {
    const tag = readVarint(message, at);
    const end = endOfField(message, tag);
    if (end > message.length) throw new RangeError('a protobuf field ends too early');
    if (fields.has(Math.floor(tag.value / 8))) kept.push(message.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

interface Varint {
  readonly value: number;
  /** Offset of the byte behind it. */
  readonly end: number;
}

function endOfField(message: Uint8Array, { value: tag, end }: Varint): number {
  switch (tag % 8) {
    case VARINT:
      return readVarint(message, end).end;
    case FIXED_64:
      return end + 8;
    case LENGTH_DELIMITED: {
      const length = readVarint(message, end);
      return length.end + length.value;
    }
    case FIXED_32:
      return end + 4;
    default:
      throw new RangeError('an unknown protobuf wire type');
  }
}

/** Seven bits a byte, least significant first; above 2^53 the value is rounded, which no length or tag is. */
function readVarint(message: Uint8Array, from: number): Varint {
  let value = 0;
  for (let at = from, scale = 1; at < message.length; at++, scale *= 128) {
    const byte = message[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at + 1 };
  }
  throw new RangeError('a protobuf number ends too early');
}
