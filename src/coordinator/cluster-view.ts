import { KinscanError } from '../core/errors.js';
import type { Placement } from '../core/placement.js';
import type { ClusterState, ModelSettings, SeenMember } from '../runtime/cluster-state.js';

const RETRY_HINT_MS = 500;

/** What this coordinator knows of the cluster; kept up to date by watching, and kept as it is while NATS is away. */
export class ClusterView {
  readonly #state: ClusterState;
  readonly partitionCount: number;
  #model: ModelSettings | undefined;
  #placement: Placement | undefined;
  /** Members by id, the expired ones too: while NATS is away heartbeats are missing although their senders live. */
  readonly #known = new Map<string, SeenMember>();

  constructor(state: ClusterState, partitionCount: number) {
    this.#state = state;
    this.partitionCount = partitionCount;
  }

  async follow(): Promise<void> {
    await this.#state.watch('model', (model) => (this.#model = model));
    await this.#state.watch('placement', (placement) => this.#take(placement));
    await this.#state.followMembers();
  }

  get hasModel(): boolean {
    return this.#model !== undefined;
  }

  get hasPlacement(): boolean {
    return this.#placement !== undefined;
  }

  /** @throws KinscanError NOT_READY */
  model(): ModelSettings {
    if (this.#model === undefined) throw notReady('no encoder has named its model yet');
    return this.#model;
  }

  /** @throws KinscanError NOT_READY */
  placement(): Placement {
    if (this.#placement === undefined) throw notReady('partitions are not placed yet');
    return this.#placement;
  }

  /** Reads the placement anew, for a query that a shard server called stale. */
  async refreshPlacement(): Promise<void> {
    const placement = await this.#state.read('placement');
    if (placement !== undefined) this.#take(placement);
  }

  members(): SeenMember[] {
    const members = this.#state.members();
    for (const member of members) this.#known.set(member.id, member);
    return members;
  }

  /** Ids of the members whose heartbeats are fresh. */
  liveIds(): ReadonlySet<string> {
    return new Set(this.members().map(({ id }) => id));
  }

  /** The last that was heard of a member, live or not. */
  lastKnown(id: string): SeenMember | undefined {
    return this.#known.get(id);
  }

  /** Encoders, live ones; where none is, those last known. */
  encoders(): SeenMember[] {
    const live = this.members().filter(({ role }) => role === 'encoder');
    return live.length > 0 ? live : [...this.#known.values()].filter(({ role }) => role === 'encoder');
  }

  /** Forgets members that left and that nothing needs any more. */
  forgetLeavers(): void {
    const live = this.liveIds();
    const hosts = new Set(this.#placement?.replicas.flat());
    const hasLiveEncoder = this.encoders().some(({ id }) => live.has(id));
    for (const [id, { role }] of this.#known) {
      const isNeeded = live.has(id) || hosts.has(id) || (role === 'encoder' && !hasLiveEncoder);
      if (!isNeeded) this.#known.delete(id);
    }
  }

  #take(placement: Placement): void {
    if (placement.epoch >= (this.#placement?.epoch ?? 0)) this.#placement = placement;
  }
}

function notReady(message: string): KinscanError {
  return new KinscanError('NOT_READY', message, { retryAfterMs: RETRY_HINT_MS });
}
