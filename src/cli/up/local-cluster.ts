import path from 'node:path';
import { KinscanError } from '../../core/errors.js';
import { environmentVariableOf } from '../../runtime/config.js';
import { packageRoot } from '../../runtime/package-root.js';
import type { Clock } from '../../runtime/clock.js';
import { isServing } from '../../runtime/grpc-health.js';
import type { Logger, LogLevel } from '../../runtime/log.js';
import { startEmbeddedNats } from './embedded-nats.js';
import { assertPortFree, freePort } from './free-port.js';
import { patientHashKeyOf } from './patient-hash-key.js';
import { SupervisedChild } from './supervised-child.js';

export interface LocalClusterOptions {
  readonly dataDir: string;
  readonly modelDir: string;
  readonly port: number;
  readonly httpPort: number;
  readonly shards: number;
  readonly encoders: number;
  readonly childLogLevel: LogLevel;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Limit on the wait until queries are answered, a large index read from disk included. */
const READY_TIMEOUT_MS = 300_000;
const READY_POLL_MS = 100;

/** nats-server, coordinator, encoders and shard servers as supervised children on loopback. */
export class LocalCluster {
  readonly address: string;
  readonly #options: LocalClusterOptions;
  readonly #nats: SupervisedChild;
  readonly #coordinator: SupervisedChild;
  readonly #encoders: readonly SupervisedChild[];
  readonly #shards: readonly SupervisedChild[];

  private constructor(options: LocalClusterOptions, natsPort: number) {
    this.#options = options;
    this.address = `127.0.0.1:${options.port}`;
    const nats = startEmbeddedNats(options.dataDir, natsPort, options.log);
    const common = ['--nats', nats.servers, '--log-level', options.childLogLevel];
    this.#nats = nats.child;
    this.#shards = times(options.shards, (n) =>
      this.#role('shard', [
        ...common,
        '--id',
        `shard-${n}`,
        '--port',
        '0',
        '--data-dir',
        path.join(options.dataDir, `shard-${n}`),
      ]),
    );
    // by environment: a command line is there for every user of the machine to see
    const keyName = environmentVariableOf('patientHashKey');
    const secrets = { [keyName]: process.env[keyName] || patientHashKeyOf(options.dataDir) };
    this.#encoders = times(options.encoders, (n) =>
      this.#role(
        'encoder',
        [...common, '--id', `encoder-${n}`, '--port', '0', '--model', options.modelDir],
        secrets,
      ),
    );
    this.#coordinator = this.#role('coordinator', [
      ...common,
      ...['--id', 'coordinator-1', '--port', String(options.port), '--http-port', String(options.httpPort)],
      ...['--shards', String(options.shards)],
    ]);
  }

  /** @throws KinscanError INVALID_ARGUMENT where a port is taken */
  static async start(options: LocalClusterOptions): Promise<LocalCluster> {
    await assertPortFree(options.port);
    if (options.httpPort !== 0) await assertPortFree(options.httpPort);
    return new LocalCluster(options, await freePort());
  }

  /** @throws KinscanError NOT_READY after the limit */
  async waitUntilReady(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const giveUpMs = clock.monotonicMs() + READY_TIMEOUT_MS;
    while (!(await isServing(this.address))) {
      if (signal.aborted) return;
      if (clock.monotonicMs() > giveUpMs) {
        throw new KinscanError('NOT_READY', `no answer from the cluster within ${READY_TIMEOUT_MS / 1000} s`);
      }
      await clock.sleep(READY_POLL_MS, signal);
    }
  }

  pids(): Readonly<Record<'nats' | 'coordinator' | 'encoder' | 'shard', number[]>> {
    const of = (children: readonly SupervisedChild[]) => children.flatMap(({ pid }) => pid ?? []);
    return {
      nats: of([this.#nats]),
      coordinator: of([this.#coordinator]),
      encoder: of(this.#encoders),
      shard: of(this.#shards),
    };
  }

  /** In the direction of the data, so that each stage can finish what it holds. */
  async stop(): Promise<void> {
    await this.#coordinator.stop();
    await Promise.all(this.#encoders.map((encoder) => encoder.stop()));
    await Promise.all(this.#shards.map((shard) => shard.stop()));
    await this.#nats.stop();
  }

  #role(role: string, flags: readonly string[], environment: NodeJS.ProcessEnv = {}): SupervisedChild {
    const main = path.join(packageRoot(), 'dist', 'src', 'cli', 'main.js');
    const env = { ...process.env, ...environment };
    return new SupervisedChild(
      { name: role, command: process.execPath, args: [main, role, ...flags], env, ipc: true },
      this.#options.log,
    );
  }
}

function times<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index + 1));
}
