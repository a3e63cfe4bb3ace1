import type { NatsConnection } from '../runtime/nats.js';

/** Tells whether NATS is connected, and who waits for it when that changes. */
export class ConnectionWatch {
  readonly #onDisconnect = new Set<() => void>();
  readonly #onConnect = new Set<() => void>();
  #connected = true;

  constructor(connection: NatsConnection) {
    void this.#follow(connection);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Calls back once, at the next loss of the connection. @returns takes the callback away */
  onceDisconnected(callback: () => void): () => void {
    this.#onDisconnect.add(callback);
    return () => this.#onDisconnect.delete(callback);
  }

  /** Resolves when connected, or after the time given. */
  untilConnected(timeoutMs: number): Promise<void> {
    if (this.#connected) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onConnect.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#onConnect.add(done);
    });
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      const type: string = status.type;
      if (type === 'disconnect') this.#change(false, this.#onDisconnect);
      else if (type === 'reconnect') this.#change(true, this.#onConnect);
    }
  }

  #change(connected: boolean, callbacks: Set<() => void>): void {
    this.#connected = connected;
    for (const callback of [...callbacks]) {
      callbacks.delete(callback);
      callback();
    }
  }
}
