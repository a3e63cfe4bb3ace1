import { openHealthClient, type HealthClient } from '../src/runtime/grpc-health.js';
import { percentilesOf, type Percentiles } from './query-load.js';

export interface EmptyCallsOptions {
  /** host:port of any role. */
  readonly address: string;
  /** Clients, each with a connection of its own and one call at a time. */
  readonly clients: number;
  readonly seconds: number;
}

/** What a call costs of which nothing is asked: no query can be faster over gRPC on this machine. */
export interface EmptyCallsResult {
  readonly callsPerSecond: number;
  readonly latency: Percentiles;
}

/** Calls grpc.health.v1's Check, for as long as told. @throws Error where one is not answered */
export async function makeEmptyCalls(options: EmptyCallsOptions): Promise<EmptyCallsResult> {
  const clients = Array.from({ length: options.clients }, () => openHealthClient(options.address));
  const latencies: number[] = [];
  const startMs = performance.now();
  const callOn = async (client: HealthClient) => {
    while (performance.now() - startMs < options.seconds * 1_000) {
      const askedMs = performance.now();
      await client.check();
      latencies.push(performance.now() - askedMs);
    }
  };
  try {
    await Promise.all(clients.map(callOn));
  } finally {
    clients.forEach((client) => client.close());
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return { callsPerSecond: latencies.length / seconds, latency: percentilesOf(latencies) };
}
