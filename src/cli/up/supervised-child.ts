import { spawn, type ChildProcess } from 'node:child_process';
import { backoffDelayMs } from '../../runtime/backoff.js';
import type { Logger } from '../../runtime/log.js';

const RESTART_BACKOFF = { firstDelayMs: 250, delayMaxMs: 15_000 };
/** A child that lived so long starts its back-off anew when it dies. */
const STABLE_AFTER_MS = 30_000;
/** Limit on a child's graceful stop; longer than a role's own drain limit. */
const STOP_TIMEOUT_MS = 15_000;

export interface ChildSpec {
  /** For the log. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Whether the child is a kinscan role, which stops when this IPC channel closes. */
  readonly ipc: boolean;
}

/** A child process that is started again, with back-off, whenever it dies. */
export class SupervisedChild {
  readonly #spec: ChildSpec;
  readonly #log: Logger;
  #process: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopping = false;

  constructor(spec: ChildSpec, log: Logger) {
    this.#spec = spec;
    this.#log = log;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** SIGTERM, then SIGKILL after the limit; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  }

  #start(): void {
    const { name, command, args, env, ipc } = this.#spec;
    const startedMs = performance.now();
    // standard output belongs to `up`; a child's logs go to standard error
    const child = spawn(command, args, {
      env,
      stdio: ['ignore', 2, 2, ...(ipc ? (['ipc'] as const) : [])],
      detached: true,
    });
    this.#process = child;
    let ended = false;
    const onEnd = (reason: object) => {
      if (ended || this.#stopping) return;
      ended = true;
      if (performance.now() - startedMs > STABLE_AFTER_MS) this.#failures = 0;
      const delayMs = backoffDelayMs(this.#failures++, RESTART_BACKOFF);
      this.#log.warn(
        { child: name, ...reason, restartInMs: Math.round(delayMs) },
        'child ended; starting it again',
      );
      this.#restartTimer = setTimeout(() => this.#start(), delayMs);
    };
    child.once('error', (error) => onEnd({ error: error.message }));
    child.once('exit', (code, signal) => onEnd({ code, signal }));
  }
}
