import path from 'node:path';
import { startEmbeddedNats } from '../src/cli/up/embedded-nats.js';
import { freePort } from '../src/cli/up/free-port.js';
import { SupervisedChild } from '../src/cli/up/supervised-child.js';
import type { StatusResponse__Output } from '../src/generated/kinscan/v1/StatusResponse.js';
import { systemClock } from '../src/runtime/clock.js';
import { openClusterState, type ModelSettings } from '../src/runtime/cluster-state.js';
import type { GrpcClient } from '../src/runtime/grpc-client.js';
import { createLog } from '../src/runtime/log.js';
import { connectNats } from '../src/runtime/nats.js';
import { packageRoot } from '../src/runtime/package-root.js';
import type { ShardFolder } from './gallery-writer.js';

export interface PathClusterOptions {
  readonly folder: string;
  readonly shardFolders: readonly ShardFolder[];
  readonly partitions: number;
  readonly model: ModelSettings;
}

/** One process of the path. */
export interface PathProcess {
  readonly name: string;
  readonly pid: number;
  /** Of its /metrics; undefined for nats-server. */
  readonly metricsUrl: string | undefined;
}

/** nats-server, a coordinator and shard servers as processes on loopback; no encoder, since codes are made up. */
export interface PathCluster {
  /** host:port of the coordinator. */
  readonly address: string;
  readonly natsServers: string;
  processes(): PathProcess[];
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 900_000;
const POLL_MS = 200;
const STATUS_TIMEOUT_MS = 10_000;

/** Starts the processes and tells the cluster its model, as an encoder would; does not wait for the galleries. */
export async function startPathCluster(options: PathClusterOptions): Promise<PathCluster> {
  const { folder, shardFolders, partitions, model } = options;
  const log = createLog('bench', 'bench', 'warn');
  const nats = startEmbeddedNats(folder, await freePort(), log);
  const children = [{ name: 'nats', child: nats.child, metricsUrl: undefined as string | undefined }];
  const start = async (role: string, id: string, flags: readonly string[]): Promise<string> => {
    const [port, httpPort] = [await freePort(), await freePort()];
    const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
    const common = ['--nats', nats.servers, '--id', id, '--log-level', 'warn'];
    const ports = ['--port', String(port), '--http-port', String(httpPort)];
    // Node's own flags are handed on: `node --cpu-prof` profiles every process
    const args = [...process.execArgv, main, role, ...common, ...ports, ...flags];
    const spec = { name: id, command: process.execPath, args, env: process.env, ipc: true };
    children.push({
      name: id,
      child: new SupervisedChild(spec, log),
      metricsUrl: `http://127.0.0.1:${httpPort}/metrics`,
    });
    return `127.0.0.1:${port}`;
  };
  const stop = async () => {
    for (const { child } of [...children].reverse()) await child.stop();
  };
  try {
    for (const { id, folder: dataDir } of shardFolders) await start('shard', id, ['--data-dir', dataDir]);
    const address = await start('coordinator', 'coordinator', [
      ...['--shards', String(shardFolders.length), '--partitions', String(partitions)],
    ]);
    const connection = await connectNats({ servers: nats.servers, name: 'kinscan-bench', log });
    const state = await openClusterState(connection, log);
    await state.createOrRead('model', model);
    state.close();
    await connection.close();
    const processes = () =>
      children.map(({ name, child, metricsUrl }) => ({ name, pid: child.pid ?? 0, metricsUrl }));
    return { address, natsServers: nats.servers, processes, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves when so many images are searchable. @throws Error after 15 minutes */
export async function untilSearchable(
  coordinator: GrpcClient,
  images: number,
): Promise<StatusResponse__Output> {
  const giveUpMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const status = await statusOrUndefined(coordinator);
    const replicas = status?.partitions.flatMap((partition) => partition.replicas) ?? [];
    const isLive = replicas.length > 0 && replicas.every(({ live, lag }) => live && lag === 0);
    if (status !== undefined && isLive && status.images >= images) return status;
    if (performance.now() > giveUpMs) {
      throw new Error(`${status?.images ?? 0} of ${images} images are searchable after 15 minutes`);
    }
    await systemClock.sleep(POLL_MS);
  }
}

/** undefined while the cluster is not there yet. */
async function statusOrUndefined(coordinator: GrpcClient): Promise<StatusResponse__Output | undefined> {
  try {
    return await coordinator.call<object, StatusResponse__Output>(
      'Status',
      {},
      { timeoutMs: STATUS_TIMEOUT_MS },
    );
  } catch {
    return undefined;
  }
}
