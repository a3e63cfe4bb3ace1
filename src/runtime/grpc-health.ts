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
  /** What Health/Check says, for instance SERVING. @throws Error where it says nothing in time */
  check(): Promise<string>;
  close(): void;
}

const HEALTH_TIMEOUT_MS = 2_000;

/** @param address host:port */
export function openHealthClient(address: string): HealthClient {
  const Client = makeClientConstructor(service, 'grpc.health.v1.Health');
  const options = { ...GRPC_LEAN, 'grpc.use_local_subchannel_pool': 1 };
  const stub = new Client(address, credentials.createInsecure(), options) as unknown as HealthStub;
  return {
    check: () =>
      new Promise((resolve, reject) => {
        stub.check({ service: '' }, { deadline: Date.now() + HEALTH_TIMEOUT_MS }, (error, response) => {
          if (error === null) resolve(response?.status ?? '');
          else reject(error);
        });
      }),
    close: () => stub.close(),
  };
}

/** Whether the server at host:port says SERVING. */
export async function isServing(address: string): Promise<boolean> {
  const client = openHealthClient(address);
  try {
    return (await client.check()) === 'SERVING';
  } catch {
    return false;
  } finally {
    client.close();
  }
}
