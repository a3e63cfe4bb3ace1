import type { PathProcess } from './path-cluster.js';
import { processUsage } from './process-usage.js';
import { readMetrics, sumOf, type MetricSample } from './role-metrics.js';

/** By process, since the lap before. */
export interface Lap {
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** The longest turn of the event loop, as the process itself measures it with a timer of 10 ms, which is in it. */
  readonly longestPauseMs: Readonly<Record<string, number>>;
}

const PAUSE_METRIC = 'nodejs_eventloop_lag_max_seconds';

/** The longest turn of a role's event loop since its metrics were read before; each reading begins it anew. */
export function pauseMsOf(samples: readonly MetricSample[]): number {
  return sumOf(samples, PAUSE_METRIC) * 1_000;
}

/** What the processes of the path use, from lap to lap; reading the pauses begins their measurement anew. */
export class ProcessWatch {
  readonly #processes: readonly PathProcess[];
  #cpuSeconds: Readonly<Record<string, number>> = {};

  constructor(processes: readonly PathProcess[]) {
    this.#processes = [...processes, { name: 'client', pid: process.pid, metricsUrl: undefined }];
  }

  async lap(): Promise<Lap> {
    const before = this.#cpuSeconds;
    const now = Object.fromEntries(
      this.#processes.map(({ name, pid }) => [name, processUsage(pid).cpuSeconds]),
    );
    this.#cpuSeconds = now;
    const pauses = await Promise.all(
      this.#processes.map(async ({ name, metricsUrl }) =>
        metricsUrl === undefined ? [] : [[name, pauseMsOf(await readMetrics(metricsUrl))] as const],
      ),
    );
    return {
      cpuSeconds: Object.fromEntries(
        Object.entries(now).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
      ),
      longestPauseMs: Object.fromEntries(pauses.flat()),
    };
  }

  peakMemoryMib(): Record<string, number> {
    return Object.fromEntries(
      this.#processes.map(({ name, pid }) => [name, processUsage(pid).peakMemoryMib]),
    );
  }
}
