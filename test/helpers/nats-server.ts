import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../src/cli/up/free-port.js';
import { findNatsServer } from '../../src/runtime/nats-server-path.js';
import { waitUntil } from './wait-until.js';

export { freePort };

const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

export interface NatsServerOptions {
  /** Kept by stop() when given; otherwise a temporary folder that stop() removes. */
  readonly dataDir?: string;
  /** @default a free one, the same over restarts */
  readonly port?: number;
}

/** A real nats-server with JetStream that syncs every write, for tests. */
export interface NatsServer {
  readonly port: number;
  /** nats://127.0.0.1:port */
  readonly url: string;
  /** host:port, as the roles' --nats flag takes it. */
  readonly address: string;
  readonly dataDir: string;
  /** Of the process that runs now; 0 while none does. */
  readonly pid: number;
  /** Ends the process and waits until it is gone; the data stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same port and data; kills (SIGKILL) what still runs. */
  restart(): Promise<void>;
  /** Ends the process and removes a temporary folder. May be called again. */
  stop(): Promise<void>;
}

/** Starts nats-server and resolves when it takes connections and JetStream is up. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const port = options.port ?? (await freePort());
  const configDir = await mkdtemp(path.join(tmpdir(), 'kinscan-nats-'));
  const dataDir = options.dataDir ?? path.join(configDir, 'data');
  const configFile = path.join(configDir, 'nats.conf');
  await writeFile(
    configFile,
    [
      'host: 127.0.0.1',
      `port: ${port}`,
      `max_payload: ${MAX_PAYLOAD_BYTES}`,
      // the streams reserve their limits of 34 GiB in all
      `jetstream { store_dir: ${JSON.stringify(dataDir)}, sync_interval: always, max_file_store: 1TB }`,
    ].join('\n'),
  );
  let child: ChildProcess | undefined = await launch(configFile, port);
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  };
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    dataDir,
    get pid() {
      return child?.pid ?? 0;
    },
    kill,
    restart: async () => {
      await kill();
      child = await launch(configFile, port);
    },
    stop: async () => {
      await kill('SIGTERM');
      await rm(configDir, { recursive: true, force: true });
    },
  };
}

async function launch(configFile: string, port: number): Promise<ChildProcess> {
  const child = spawn(findNatsServer(process.env), ['-c', configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => (output = (output + text).slice(-4_000)));
  const dead = () => child.exitCode !== null || child.signalCode !== null;
  // a test process that fails early must not leave servers behind
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('exit', () => process.removeListener('exit', killAtExit));
  await waitUntil('nats-server is ready', () => dead() || output.includes('Server is ready'));
  if (dead()) throw new Error(`nats-server did not start:\n${output}`);
  await waitUntil('nats-server takes connections', () => takesConnections(port));
  return child;
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
