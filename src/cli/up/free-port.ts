import { createServer, type AddressInfo } from 'node:net';
import { KinscanError } from '../../core/errors.js';

/** A TCP port on loopback that is free now. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

/** @throws KinscanError INVALID_ARGUMENT where something else listens on the port */
export async function assertPortFree(port: number): Promise<void> {
  try {
    await listenOnce(port);
  } catch (cause) {
    throw new KinscanError('INVALID_ARGUMENT', `port ${port} is taken; choose another`, { cause });
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const bound = (server.address() as AddressInfo).port;
      server.close(() => resolve(bound));
    });
  });
}
