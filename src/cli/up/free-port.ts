import { randomInt } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { KinscanError } from '../../core/errors.js';

/**
 * Below the ports that systems give to outgoing connections (from 32,768 on Linux, RFC 6335's 49,152 elsewhere): one of
 * those may be taken by any connection before it is listened on.
 */
const PORTS = { from: 15_000, until: 32_000 };
const TRIES_MAX = 50;

/** A TCP port on loopback that is free now, and likely to stay so for a moment. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    try {
      return await listenOnce(randomInt(PORTS.from, PORTS.until));
    } catch {
      // taken: try another
    }
  }
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
