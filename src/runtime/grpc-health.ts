import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

interface HealthClient {
  check(
    request: { service: string },
    options: { deadline: number },
    callback: (error: Error | null, response?: { status: string }) => void,
  ): void;
  close(): void;
}

const HEALTH_TIMEOUT_MS = 2_000;

/** Whether the server at host:port says SERVING (grpc.health.v1.Health/Check). */
export function isServing(address: string): Promise<boolean> {
  const Client = makeClientConstructor(service, 'grpc.health.v1.Health');
  const client = new Client(address, credentials.createInsecure()) as unknown as HealthClient;
  return new Promise((resolve) => {
    client.check({ service: '' }, { deadline: Date.now() + HEALTH_TIMEOUT_MS }, (error, response) => {
      client.close();
      resolve(error === null && response?.status === 'SERVING');
    });
  });
}
