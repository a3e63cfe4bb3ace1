import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { COORDINATOR_CONFIG } from '../../src/coordinator/config.js';
import { startCoordinator, type RunningCoordinator } from '../../src/coordinator/start-coordinator.js';
import { ENCODER_CONFIG } from '../../src/encoder/config.js';
import { startEncoder, type RunningEncoder } from '../../src/encoder/start-encoder.js';
import { resolveConfig } from '../../src/runtime/config.js';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { isServing } from '../../src/runtime/grpc-health.js';
import { createLog, type LogLevel } from '../../src/runtime/log.js';
import { SHARD_CONFIG } from '../../src/shard/config.js';
import { startShard, type RunningShard } from '../../src/shard/start-shard.js';
import { writeRandomModel } from '../encoder/encoder-harness.js';
import { startNatsServer, type NatsServer } from '../helpers/nats-server.js';
import { waitUntil } from '../helpers/wait-until.js';
import type { IngestRequest } from '../../src/generated/kinscan/v1/IngestRequest.js';
import type { IngestResponse__Output } from '../../src/generated/kinscan/v1/IngestResponse.js';
import type { StatusResponse__Output } from '../../src/generated/kinscan/v1/StatusResponse.js';

export const TIMEOUT_MS = 60_000;

const MESSAGE_BYTES_MAX = 66 * 1024 * 1024;
const LOG_LEVEL = (process.env['KINSCAN_TEST_LOG_LEVEL'] ?? 'silent') as LogLevel;

/** All roles in this process over a real nats-server: a model of random weights, two shard servers unless told otherwise. */
export interface CoordinatorHarness {
  readonly nats: NatsServer;
  readonly coordinator: RunningCoordinator;
  readonly shards: RunningShard[];
  readonly modelVersion: string;
  readonly retrieval: GrpcClient;
  readonly deadLetters: GrpcClient;
  /** A client of one more coordinator, which may be given other flags. */
  startCoordinator(
    flags?: readonly string[],
  ): Promise<{ coordinator: RunningCoordinator; retrieval: GrpcClient }>;
  startEncoder(): Promise<RunningEncoder>;
  startShard(index: number): Promise<RunningShard>;
  /** Sends the requests over one stream; the responses by request id. */
  ingest(requests: readonly IngestRequest[]): Promise<Map<string, IngestResponse__Output>>;
  status(): Promise<StatusResponse__Output>;
  stop(): Promise<void>;
}

export interface CoordinatorHarnessOptions {
  readonly shards?: number;
  readonly partitions?: number;
  /** @default 0, none */
  readonly fineCodeBits?: number;
  readonly coordinatorFlags?: readonly string[];
  readonly encoderFlags?: readonly string[];
  /** @default one */
  readonly encoders?: number;
}

export async function startHarness(options: CoordinatorHarnessOptions = {}): Promise<CoordinatorHarness> {
  const {
    shards: shardCount = 2,
    partitions = 4,
    fineCodeBits = 0,
    coordinatorFlags = [],
    encoderFlags = [],
    encoders: encoderCount = 1,
  } = options;
  const nats = await startNatsServer();
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-coordinator-'));
  const modelFolder = path.join(folder, 'model');
  const modelVersion = await writeRandomModel(modelFolder, 1, { fineCodeBits });
  const stops: (() => Promise<unknown>)[] = [];
  const clients: GrpcClient[] = [];
  const openClient = (service: 'Retrieval' | 'DeadLetters', port: number) => {
    const address = `127.0.0.1:${port}`;
    const options = {
      address,
      service,
      messageBytesMax: MESSAGE_BYTES_MAX,
      unavailable: 'NOT_READY',
    } as const;
    const client = openGrpcClient(options);
    clients.push(client);
    return client;
  };
  const start = async (flags: readonly string[] = []) => {
    const common = [
      '--nats',
      nats.address,
      '--port',
      '0',
      '--http-port',
      '0',
      '--partitions',
      `${partitions}`,
    ];
    const argv = [...common, '--shards', `${Math.max(1, shardCount)}`, ...coordinatorFlags, ...flags];
    const running = await startCoordinator(
      resolveConfig(COORDINATOR_CONFIG, { argv, env: {} }),
      createLog('coordinator', 'test', LOG_LEVEL),
    );
    stops.push(() => running.drain());
    return running;
  };
  const startOneShard = async (index: number) => {
    const dataDir = path.join(folder, `shard-${index}`);
    const argv = ['--nats', nats.address, '--port', '0', '--data-dir', dataDir, '--id', `shard-${index}`];
    const config = resolveConfig(SHARD_CONFIG, { argv, env: {} });
    const running = await startShard(config, createLog('shard', config.id, LOG_LEVEL));
    stops.push(() => running.drain());
    return running;
  };
  const startOneEncoder = async () => {
    const argv = ['--nats', nats.address, '--port', '0', '--model', modelFolder, '--engine', 'onnx'];
    const running = await startEncoder(
      resolveConfig(ENCODER_CONFIG, { argv: [...argv, ...encoderFlags], env: {} }),
      createLog('encoder', 'test', LOG_LEVEL),
    );
    stops.push(() => running.drain());
    return running;
  };
  const stop = async () => {
    clients.forEach((client) => client.close());
    for (const stopOne of stops.reverse()) await stopOne();
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const coordinator = await start();
    const running = await Promise.all([
      ...Array.from({ length: encoderCount }, startOneEncoder),
      ...Array.from({ length: shardCount }, (_, index) => startOneShard(index)),
    ]);
    const shards = running.slice(encoderCount) as RunningShard[];
    await waitUntil(
      'the cluster serves',
      () => encoderCount === 0 || isServing(`127.0.0.1:${coordinator.port}`),
    );
    const retrieval = openClient('Retrieval', coordinator.port);
    return {
      nats,
      coordinator,
      shards,
      modelVersion,
      retrieval,
      deadLetters: openClient('DeadLetters', coordinator.port),
      startCoordinator: async (flags) => {
        const another = await start(flags);
        await waitUntil('it serves', () => isServing(`127.0.0.1:${another.port}`));
        return { coordinator: another, retrieval: openClient('Retrieval', another.port) };
      },
      startEncoder: startOneEncoder,
      startShard: startOneShard,
      ingest: (requests) => ingestAll(retrieval, requests),
      status: () => retrieval.call('Status', {}, { timeoutMs: TIMEOUT_MS }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Sends the requests over one Ingest stream and returns the responses by request id. */
export async function ingestAll(
  client: GrpcClient,
  requests: readonly IngestRequest[],
): Promise<Map<string, IngestResponse__Output>> {
  const call = client.duplex<IngestRequest, IngestResponse__Output>('Ingest');
  const responses = new Map<string, IngestResponse__Output>();
  return new Promise((resolve, reject) => {
    call.on('data', (response: IngestResponse__Output) => responses.set(response.requestId, response));
    call.on('end', () => resolve(responses));
    call.on('error', (error: Error) => reject(client.streamError(error)));
    for (const request of requests) call.write(request);
    call.end();
  });
}
