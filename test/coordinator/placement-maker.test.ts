import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlacementMaker } from '../../src/coordinator/placement-maker.js';
import type { Placement } from '../../src/core/placement.js';
import type { ClusterRecords, ClusterState, SeenMember } from '../../src/runtime/cluster-state.js';
import { createLog } from '../../src/runtime/log.js';

/** The control plane as far as placements go: the first to create one wins. */
class FakeState implements Pick<ClusterState, 'createOrRead'> {
  placement: Placement | undefined;

  async createOrRead<Key extends keyof ClusterRecords>(
    key: Key,
    value: ClusterRecords[Key],
  ): Promise<ClusterRecords[Key]> {
    assert.equal(key, 'placement');
    this.placement ??= value as Placement;
    return this.placement as ClusterRecords[Key];
  }
}

function makerFor(state: FakeState, shardIds: readonly string[], shardServerCount: number, replicaCount = 1) {
  let known: Placement | undefined;
  const members = [...shardIds.map((id) => ({ id, role: 'shard' })), { id: 'e', role: 'encoder' }];
  const cluster = {
    get hasPlacement() {
      return known !== undefined;
    },
    partitionCount: 4,
    members: () => members as SeenMember[],
    refreshPlacement: async () => {
      known = state.placement;
    },
  };
  const log = createLog('test', 'test', 'silent');
  return new PlacementMaker({ cluster, state, shardServerCount, replicaCount, log });
}

describe('the maker of the placement', () => {
  it('waits for enough shard servers; other roles do not count', async () => {
    const state = new FakeState();
    assert.equal(await makerFor(state, ['a'], 2).tryPlace(), false);
    assert.equal(state.placement, undefined);
    assert.equal(await makerFor(state, ['b', 'a'], 2).tryPlace(), true);
    assert.deepEqual(state.placement, { epoch: 1, replicas: [['a'], ['b'], ['a'], ['b']] });
  });

  it('takes the placement of a coordinator that was faster', async () => {
    const state = new FakeState();
    assert.equal(await makerFor(state, ['a', 'b'], 2).tryPlace(), true);
    const later = makerFor(state, ['a', 'b', 'c'], 2);
    assert.equal(await later.tryPlace(), true);
    assert.deepEqual(new Set(state.placement?.replicas.flat()), new Set(['a', 'b']));
  });

  it('gives every partition its replicas on different shard servers', async () => {
    const state = new FakeState();
    await makerFor(state, ['a', 'b', 'c'], 3, 2).tryPlace();
    for (const servers of state.placement?.replicas ?? []) assert.equal(new Set(servers).size, 2);
  });
});
