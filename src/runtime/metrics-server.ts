import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

export function createRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Serves /metrics (Prometheus text), /livez and /readyz over HTTP. Port 0 takes a free one. */
export async function startMetricsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  readonly isReady: () => boolean;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(body);
    };
    switch (request.url) {
      case '/livez':
        return answer(200, 'live\n');
      case '/readyz':
        return options.isReady() ? answer(200, 'ready\n') : answer(503, 'not ready\n');
      case '/metrics':
        return void options.registry.metrics().then(
          (text) => answer(200, text, options.registry.contentType),
          () => answer(500, 'metrics failed\n'),
        );
      default:
        return answer(404, 'kinscan serves /metrics, /livez and /readyz here\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
