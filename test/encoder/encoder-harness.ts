import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ENCODER_CONFIG, type EncoderConfig } from '../../src/encoder/config.js';
import { startEncoder, type RunningEncoder } from '../../src/encoder/start-encoder.js';
import type { DeadLetterEntry__Output } from '../../src/generated/kinscan/v1/DeadLetterEntry.js';
import type { ImageRecord__Output } from '../../src/generated/kinscan/v1/ImageRecord.js';
import type { ImageTask } from '../../src/generated/kinscan/v1/ImageTask.js';
import type { LogEntry__Output } from '../../src/generated/kinscan/v1/LogEntry.js';
import { saveModel } from '../../src/model/artefact.js';
import { hashingNetwork } from '../../src/model/network.js';
import { initialWeights } from '../../src/model/weights.js';
import { openClusterState } from '../../src/runtime/cluster-state.js';
import { resolveConfig } from '../../src/runtime/config.js';
import { createLog, type Logger } from '../../src/runtime/log.js';
import { AckPolicy, connectNats, nanos, type NatsConnection } from '../../src/runtime/nats.js';
import { messageCodec } from '../../src/runtime/proto.js';
import { ENCODER_CONSUMER, ensureStreams, STREAM, SUBJECT } from '../../src/runtime/streams.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';
import { waitUntil } from '../helpers/wait-until.js';

export const PARTITION_COUNT = 4;
export const INPUT_SIZE = 32;
export const CODE_BITS = 48;

const taskCodec = messageCodec<ImageTask, ImageTask>('ImageTask');
const entryCodec = messageCodec<object, LogEntry__Output>('LogEntry');
const deadLetterCodec = messageCodec<object, DeadLetterEntry__Output>('DeadLetterEntry');

/** An entry of the CODES log with where it stands. */
export interface StoredEntry {
  readonly subject: string;
  readonly streamSequence: number;
  readonly messageId: string;
  readonly entry: LogEntry__Output;
}

/** A real nats-server with the streams of a cluster, a model with random weights, and any number of encoders on them. */
export interface EncoderHarness {
  readonly nats: NatsServer;
  readonly connection: NatsConnection;
  readonly modelFolder: string;
  readonly log: Logger;
  config(flags?: readonly string[]): EncoderConfig;
  start(flags?: readonly string[]): Promise<RunningEncoder>;
  /** @returns the revision */
  publish(task: ImageTask): Promise<number>;
  publishBytes(bytes: Uint8Array): Promise<number>;
  codes(): Promise<StoredEntry[]>;
  /** The records of the CODES log by image id, the last of each. */
  records(): Promise<Map<string, ImageRecord__Output>>;
  deadLetters(): Promise<DeadLetterEntry__Output[]>;
  /** Resolves when the IMAGES queue is empty. */
  queueIsEmpty(): Promise<void>;
  stop(): Promise<void>;
}

export interface HarnessOptions {
  /** After it an unacknowledged image is delivered again. @default the product's own */
  readonly ackWaitMs?: number;
}

export async function startHarness(options: HarnessOptions = {}): Promise<EncoderHarness> {
  const nats = await startNatsServer();
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-encoder-'));
  const modelFolder = path.join(folder, 'model');
  await writeRandomModel(modelFolder, 1);
  const log = createLog('test', 'test', 'silent');
  const connection = await connectNats({ servers: nats.address, name: 'test', log });
  await ensureStreams(connection);
  if (options.ackWaitMs !== undefined) await setAckWait(connection, options.ackWaitMs);
  const state = await openClusterState(connection, log);
  await state.createOrRead('collection', { partitionCount: PARTITION_COUNT });
  const started: RunningEncoder[] = [];
  const config = (flags: readonly string[] = []): EncoderConfig =>
    resolveConfig(ENCODER_CONFIG, {
      argv: ['--nats', nats.address, '--port', '0', '--model', modelFolder, '--engine', 'onnx', ...flags],
      env: {},
    });
  const publishBytes = async (bytes: Uint8Array) =>
    (await connection.jetstream().publish(SUBJECT.images, bytes)).seq;
  const codes = async (): Promise<StoredEntry[]> =>
    (await messagesOf(connection, STREAM.codes)).map(({ subject, seq, data, header }) => ({
      subject,
      streamSequence: seq,
      messageId: header.get('Nats-Msg-Id'),
      entry: entryCodec.decode(data),
    }));
  return {
    nats,
    connection,
    modelFolder,
    log,
    config,
    start: async (flags) => {
      const encoder = await startEncoder(config(flags), log);
      started.push(encoder);
      return encoder;
    },
    publish: (task) => publishBytes(taskCodec.encode(task)),
    publishBytes,
    codes,
    records: async () =>
      new Map(
        (await codes()).flatMap(({ entry }) => (entry.record ? [[entry.record.imageId, entry.record]] : [])),
      ),
    deadLetters: async () =>
      (await messagesOf(connection, STREAM.deadLetters)).map(({ data }) => deadLetterCodec.decode(data)),
    queueIsEmpty: () => queueIsEmpty(connection),
    stop: async () => {
      for (const encoder of started) await encoder.drain();
      state.close();
      await connection.close();
      await nats.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Untrained, but a whole model in every other respect. */
export async function writeRandomModel(
  folder: string,
  seed: number,
  { fineCodeBits = 0 } = {},
): Promise<string> {
  const network = hashingNetwork({ inputSize: INPUT_SIZE, codeBits: CODE_BITS, fineCodeBits });
  return saveModel(folder, {
    network,
    weights: initialWeights(network, seed),
    standardisation: { mean: 0.3, std: 0.2 },
    classNames: [],
    training: {},
    metrics: {},
  });
}

async function setAckWait(connection: NatsConnection, ackWaitMs: number): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.consumers.delete(STREAM.images, ENCODER_CONSUMER);
  await manager.consumers.add(STREAM.images, {
    durable_name: ENCODER_CONSUMER,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: 4_096,
    max_deliver: -1,
  });
}

async function messagesOf(connection: NatsConnection, stream: string) {
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info(stream);
  const messages = [];
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq++) {
    messages.push(await manager.streams.getMessage(stream, { seq }));
  }
  return messages;
}

/** Only bounds a failing test; a loaded machine may take long. */
const QUEUE_TIMEOUT_MS = 120_000;

async function queueIsEmpty(connection: NatsConnection): Promise<void> {
  await waitUntil(
    'every image is dealt with',
    async () =>
      (await (await connection.jetstreamManager()).streams.info(STREAM.images)).state.messages === 0,
    { timeoutMs: QUEUE_TIMEOUT_MS },
  );
}
