import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { GRPC_LEAN } from './grpc-server.js';

interface HealthStub {
  check(
    request: { service: string },
    options: { deadline: number },
    callback: (error: Error | null, response?: { status: string }) => void,
  ): void;
  close(): void;
}

/** A client of grpc.health.v1 with a connection of its own, kept open. */
export interface HealthClient {
  /** Whether the server says SERVING (Health/Check); false where it says nothing in time. */
  isServing(): Promise<boolean>;
  close(): void;
}

const HEALTH_TIMEOUT_MS = 2_000;

/** @param address host:port */
export function openHealthClient(address: string): HealthClient {
  const Client = makeClientConstructor(service, 'grpc.health.v1.Health');
  const options = { ...GRPC_LEAN, 'grpc.use_local_subchannel_pool': 1 };
  const stub = new Client(address, credentials.createInsecure(), options) as unknown as HealthStub;
  return {
    isServing: () =>
      new Promise((resolve) => {
        stub.check({ service: '' }, { deadline: Date.now() + HEALTH_TIMEOUT_MS }, (error, response) =>
          resolve(error === null && response?.status === 'SERVING'),
        );
      }),
    close: () => stub.close(),
  };
}

/** Whether the server at host:port says SERVING. */
export async function isServing(address: string): Promise<boolean> {
  const client = openHealthClient(address);
  const serving = await client.isServing();
  client.close();
  return serving;
}
