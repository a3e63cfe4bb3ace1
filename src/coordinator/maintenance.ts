import type { ClusterState } from '../runtime/cluster-state.js';
import type { Logger } from '../runtime/log.js';
import type { ClusterView } from './cluster-view.js';
import type { CoordinatorConfig } from './config.js';
import type { CoordinatorParts } from './coordinator-services.js';
import { POLL_INTERVAL_MS } from './indexed-tracker.js';
import { PlacementMaker } from './placement-maker.js';

export interface MaintenanceOptions {
  readonly cluster: ClusterView;
  readonly state: ClusterState;
  readonly parts: CoordinatorParts;
  readonly config: CoordinatorConfig;
  readonly log: Logger;
  /** Called once, when queries can be answered. */
  readonly onReady: () => void;
}

export interface Maintenance {
  readonly isReady: boolean;
  stop(): void;
}

const STARTING_INTERVAL_MS = 200;
const CONNECTIONS_INTERVAL_MS = 5_000;
const SWEEP_INTERVAL_MS = 10_000;
const STATS_TIMEOUT_MS = 2_000;

/** What a coordinator does without being asked: place, become ready, look after waits and connections, trim log and queue. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { cluster, state, parts, config, log, onReady } = options;
  const { shardServers, encoders, tracker, trimmer, sweeper, metrics } = parts;
  const maker = new PlacementMaker({
    cluster,
    state,
    shardServerCount: config.shards,
    replicaCount: config.replicas,
    log,
  });
  let isReady = false;
  const becomeReady = async () => {
    if (isReady || !(await maker.tryPlace()) || !isEverybodyThere(cluster, shardServers.placedIds())) return;
    await shardServers.refreshConnections(STATS_TIMEOUT_MS);
    isReady = true;
    log.info('ready');
    onReady();
  };
  const stops = [
    repeat(STARTING_INTERVAL_MS, log, becomeReady),
    repeat(POLL_INTERVAL_MS, log, () => tracker.poll()),
    repeat(CONNECTIONS_INTERVAL_MS, log, async () => {
      await shardServers.refreshConnections(STATS_TIMEOUT_MS);
      cluster.forgetLeavers();
      encoders.refreshConnections();
    }),
    repeat(SWEEP_INTERVAL_MS, log, async () => void (await sweeper.sweep())),
    repeat(config.trimIntervalMs, log, async () => metrics.codesTrimmed.inc(await trimmer.trim())),
  ];
  return {
    get isReady() {
      return isReady;
    },
    stop: () => stops.forEach((stop) => stop()),
  };
}

/** Once ready stays ready: a shard server or encoder that is lost later shows in the status and in each answer's counts. */
function isEverybodyThere(cluster: ClusterView, placedIds: readonly string[]): boolean {
  const live = cluster.liveIds();
  return (
    cluster.hasModel &&
    placedIds.every((id) => live.has(id)) &&
    cluster.members().some(({ role }) => role === 'encoder')
  );
}

/** Runs the work again and again with a pause in between, never twice at a time. @returns stops it */
function repeat(intervalMs: number, log: Logger, work: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const next = () => {
    timer = setTimeout(() => {
      work()
        .catch((error: unknown) => log.debug({ err: error }, 'maintenance failed; tried again soon'))
        .finally(() => {
          if (!stopped) next();
        })
        .catch(() => undefined);
    }, intervalMs);
  };
  next();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
