import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openGrpcClient, type GrpcClient } from '../../src/runtime/grpc-client.js';
import { isServing } from '../../src/runtime/grpc-health.js';
import { packageRoot } from '../../src/runtime/package-root.js';
import { freePort, startNatsServer, type NatsServer } from './nats-server.js';
import { waitUntil } from './wait-until.js';

export type ClusterRole = 'coordinator' | 'encoder' | 'shard';

export interface ClusterOptions {
  /** The encoders' model. */
  readonly modelFolder: string;
  /** @default 1 */
  readonly coordinators?: number;
  /** @default 1 */
  readonly encoders?: number;
  /** @default 2 */
  readonly shards?: number;
  /** @default 16 */
  readonly partitions?: number;
  /** More flags for the processes of a role. */
  readonly flags?: Partial<Record<ClusterRole, readonly string[]>>;
}

/** One role in a process of its own. */
export interface ClusterProcess {
  readonly role: ClusterRole;
  /** Its id in the cluster, for instance shard-0. */
  readonly id: string;
  /** host:port of its gRPC server, the same over restarts. */
  readonly address: string;
  /** 0 while it does not run. */
  readonly pid: number;
  readonly isRunning: boolean;
  /** The end of what it wrote on standard error since it was last started. */
  readonly output: string;
  /** Ends the process and waits until it is gone. @returns its exit code; null where the signal ended it */
  kill(signal?: NodeJS.Signals): Promise<number | null>;
  /** Starts it again with the same id, address and data; kills (SIGKILL) what still runs. */
  restart(): Promise<void>;
  /** Resolves when grpc.health.v1 says SERVING. */
  untilServing(): Promise<void>;
}

/** nats-server and all roles as real processes on free ports, in a temporary folder. */
export interface Cluster {
  readonly nats: NatsServer;
  readonly coordinators: readonly ClusterProcess[];
  readonly encoders: readonly ClusterProcess[];
  readonly shards: readonly ClusterProcess[];
  /** A client of a public service; closed by stop(). */
  client(service: 'Retrieval' | 'DeadLetters', coordinator?: ClusterProcess): GrpcClient;
  /** Ends everything and removes the folder. */
  stop(): Promise<void>;
}

const OUTPUT_LENGTH_MAX = 16_000;
const SERVING_TIMEOUT_MS = 60_000;
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/** Resolves when every process serves. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { modelFolder, coordinators = 1, encoders = 1, shards = 2, partitions = 16, flags = {} } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'kinscan-cluster-'));
  const nats = await startNatsServer();
  const processes: RoleProcess[] = [];
  const clients: GrpcClient[] = [];
  const add = async (role: ClusterRole, index: number, ownFlags: readonly string[]) => {
    const port = await freePort();
    const id = `${role}-${index}`;
    const common = ['--nats', nats.address, '--id', id, '--port', `${port}`, '--http-port', '0'];
    const started = new RoleProcess(role, id, port, [...common, ...ownFlags, ...(flags[role] ?? [])]);
    processes.push(started);
    await started.restart();
    return started;
  };
  const stop = async () => {
    clients.forEach((client) => client.close());
    await Promise.all(processes.map((process) => process.kill()));
    await nats.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const range = (count: number) => Array.from({ length: count }, (_, index) => index);
  try {
    const running = {
      coordinators: await Promise.all(
        range(coordinators).map((index) =>
          add('coordinator', index, ['--shards', `${shards}`, '--partitions', `${partitions}`]),
        ),
      ),
      encoders: await Promise.all(
        range(encoders).map((index) => add('encoder', index, ['--model', modelFolder])),
      ),
      shards: await Promise.all(
        range(shards).map((index) =>
          add('shard', index, ['--data-dir', path.join(folder, `shard-${index}`)]),
        ),
      ),
    };
    await Promise.all(processes.map((process) => process.untilServing()));
    const client = (service: 'Retrieval' | 'DeadLetters', coordinator = running.coordinators[0]) => {
      const address = coordinator?.address ?? '';
      const opened = openGrpcClient({
        ...{ address, service, messageBytesMax: MESSAGE_BYTES_MAX },
        unavailable: 'NOT_READY',
      });
      clients.push(opened);
      return opened;
    };
    return { nats, ...running, client, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

class RoleProcess implements ClusterProcess {
  readonly role: ClusterRole;
  readonly id: string;
  readonly address: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #output = '';

  constructor(role: ClusterRole, id: string, port: number, flags: readonly string[]) {
    this.role = role;
    this.id = id;
    this.address = `127.0.0.1:${port}`;
    this.#flags = flags;
  }

  get pid(): number {
    return this.isRunning ? (this.#child?.pid ?? 0) : 0;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get output(): string {
    return this.#output;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return child?.exitCode ?? null;
    const gone = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await gone)[0];
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#output = '';
    const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
    const child = spawn(process.execPath, [main, this.role, ...this.#flags], {
      // the channel closes when this process dies, and then the role stops too
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT_LENGTH_MAX);
    });
    this.#child = child;
    await once(child, 'spawn');
  }

  async untilServing(): Promise<void> {
    const look = async () => !this.isRunning || (await isServing(this.address));
    await waitUntil(`${this.id} serves`, look, { timeoutMs: SERVING_TIMEOUT_MS, intervalMs: 50 });
    if (!this.isRunning) throw new Error(`${this.id} ended:\n${this.#output}`);
  }
}
