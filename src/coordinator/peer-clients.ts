import type { ErrorCode } from '../core/errors.js';
import { openGrpcClient, type GrpcClient } from '../runtime/grpc-client.js';

interface Peer {
  readonly address: string;
  readonly client: GrpcClient;
}

export interface PeerClientsOptions {
  readonly service: 'Shard' | 'Encoder';
  readonly messageBytesMax: number;
  /** What a peer that cannot be reached is called. */
  readonly unavailable: ErrorCode;
}

/** One kept-open connection to each peer, made anew where the peer comes back under another address. */
export class PeerClients {
  readonly #options: PeerClientsOptions;
  readonly #peers = new Map<string, Peer>();

  constructor(options: PeerClientsOptions) {
    this.#options = options;
  }

  clientOf(id: string, address: string): GrpcClient {
    const known = this.#peers.get(id);
    if (known?.address === address) return known.client;
    known?.client.close();
    const client = openGrpcClient({ address, ...this.#options });
    this.#peers.set(id, { address, client });
    return client;
  }

  /** Closes the connections to peers that are not among these. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, { client }] of this.#peers) {
      if (ids.has(id)) continue;
      client.close();
      this.#peers.delete(id);
    }
  }

  close(): void {
    this.keepOnly(new Set());
  }
}
