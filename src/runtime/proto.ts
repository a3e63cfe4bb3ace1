import {
  loadSync,
  type MessageTypeDefinition,
  type Options,
  type PackageDefinition,
} from '@grpc/proto-loader';
import path from 'node:path';
import { assert } from '../core/errors.js';
import { packageRoot } from './package-root.js';

/** How messages look in JavaScript; scripts/setup.mjs generates the types with the same options. */
const LOADER_OPTIONS: Options = {
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
};

const FILES = ['retrieval', 'dead_letters', 'encoder', 'shard', 'log'].map(
  (name) => `kinscan/v1/${name}.proto`,
);

let loaded: PackageDefinition | undefined;

/** The contracts of proto/kinscan/v1, loaded once. */
export function protoDefinition(): PackageDefinition {
  loaded ??= loadSync(FILES, { ...LOADER_OPTIONS, includeDirs: [path.join(packageRoot(), 'proto')] });
  return loaded;
}

/** Turns messages of one type into bytes and back. */
export interface MessageCodec<Input extends object, Output> {
  encode(message: Input): Buffer;
  /** @throws Error where the bytes are not such a message */
  decode(bytes: Uint8Array): Output;
}

/** @param name without the package, for instance `LogEntry` */
export function messageCodec<Input extends object, Output>(name: string): MessageCodec<Input, Output> {
  const definition = protoDefinition()[`kinscan.v1.${name}`];
  assert(definition !== undefined && 'serialize' in definition, `no message kinscan.v1.${name}`);
  const message = definition as unknown as MessageTypeDefinition<Input, Output>;
  return {
    encode: (value) => message.serialize(value),
    decode: (bytes) => message.deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  };
}
