import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from '../../runtime/log.js';
import { findNatsServer } from '../../runtime/nats-server-path.js';
import { SupervisedChild } from './supervised-child.js';

/** Above INLINE_BYTES_MAX of runtime/streams.ts with room to spare. */
const MAX_PAYLOAD = '8MB';

export interface EmbeddedNats {
  readonly child: SupervisedChild;
  readonly servers: string;
}

/** Starts nats-server on loopback with its store below `dataDir`; every write is on disk before it is acknowledged. */
export function startEmbeddedNats(dataDir: string, port: number, log: Logger): EmbeddedNats {
  const folder = path.join(dataDir, 'nats');
  mkdirSync(folder, { recursive: true });
  const pidFile = path.join(folder, 'nats-server.pid');
  endLeftover(pidFile, folder, log);
  const configFile = path.join(folder, 'nats-server.conf');
  writeFileSync(configFile, configOf(folder, port, pidFile));
  const child = new SupervisedChild(
    {
      name: 'nats-server',
      command: findNatsServer(process.env),
      args: ['-c', configFile],
      env: process.env,
      ipc: false,
    },
    log,
  );
  return { child, servers: `127.0.0.1:${port}` };
}

function configOf(folder: string, port: number, pidFile: string): string {
  return [
    'host: 127.0.0.1',
    `port: ${port}`,
    `server_name: kinscan-up`,
    `pid_file: ${JSON.stringify(pidFile)}`,
    `log_file: ${JSON.stringify(path.join(folder, 'nats-server.log'))}`,
    'logfile_size_limit: 16MB',
    `max_payload: ${MAX_PAYLOAD}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(path.join(folder, 'store'))}`,
    '  # the default is two minutes, and an acknowledged image must survive a crash',
    '  sync_interval: always',
    '  # the streams have limits of their own; this one only has to allow their sum',
    '  max_file_store: 1TB',
    '}',
    '',
  ].join('\n');
}

/** Ends the nats-server that a killed `up` left behind: it still holds the store. */
function endLeftover(pidFile: string, folder: string, log: Logger): void {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)) return;
    process.kill(pid, 'SIGTERM');
    log.warn({ pid }, 'ended the nats-server of an earlier run');
    const giveUpMs = performance.now() + 5_000;
    while (isRunning(pid) && performance.now() < giveUpMs)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  } catch {
    // no pid file, or its process is gone: nothing was left behind
  } finally {
    rmSync(pidFile, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
