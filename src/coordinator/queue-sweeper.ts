import type { JetStreamManager } from '../runtime/nats.js';
import type { Logger } from '../runtime/log.js';
import { ENCODER_CONSUMER, STREAM } from '../runtime/streams.js';

export interface QueueSweeperOptions {
  readonly manager: Pick<JetStreamManager, 'streams' | 'consumers'>;
  readonly log: Logger;
}

/**
 * Removes from the IMAGES queue what the encoders have acknowledged and a killed nats-server kept: it stores that an entry
 * is done before it removes the entry, and after a crash in between (seen with 2.10.27) never offers it again, nor ever
 * removes it.
 *
 *     sequence   1 ........ acknowledgement floor ........ last
 *                │ all done: remove  │ still to do, or done out of order │
 *
 * Everything up to the floor is acknowledged by definition, so nothing is lost whatever happens meanwhile, and any number
 * of coordinators may do it. What was done out of order goes once the floor has passed it.
 */
export class QueueSweeper {
  readonly #options: QueueSweeperOptions;

  constructor(options: QueueSweeperOptions) {
    this.#options = options;
  }

  /** @returns entries removed */
  async sweep(): Promise<number> {
    const { manager, log } = this.#options;
    const { ack_floor: floor } = await manager.consumers.info(STREAM.images, ENCODER_CONSUMER);
    const { state } = await manager.streams.info(STREAM.images);
    if (state.messages === 0 || state.first_seq > floor.stream_seq) return 0;
    const { purged } = await manager.streams.purge(STREAM.images, { seq: floor.stream_seq + 1 });
    if (purged > 0) log.info({ purged }, 'removed finished entries that nats-server had kept');
    return purged;
  }
}
