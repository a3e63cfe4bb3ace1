import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { EmptyCallsResult } from '../../bench/empty-calls.js';
import { parseMetrics, sumOf } from '../../bench/role-metrics.js';
import { packageRoot } from '../../src/runtime/package-root.js';

interface Measurement {
  readonly queries: number;
  readonly latency: Readonly<Record<string, number>>;
  readonly cpuMsPerQuery: Readonly<Record<string, number>>;
  readonly longestPauseMs: Readonly<Record<string, number>>;
}

const TIMEOUT_MS = 180_000;
const PROCESSES = ['nats', 'shard-1', 'shard-2', 'coordinator', 'client'];
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('kinscan-path-'));

describe('kinscan bench path', () => {
  it(
    'measures every kind of query over real processes and leaves nothing behind',
    { timeout: TIMEOUT_MS },
    async () => {
      const before = new Set(leftovers());
      const main = path.join(packageRoot(), 'dist/src/cli/main.js');
      const flags = ['-n', '3000', '--partitions', '4', '--seconds', '1', '--clients', '3', '--json'];
      const child = spawn(process.execPath, [main, 'bench', 'path', ...flags, '--records-per-second', '200']);
      let [output, notes] = ['', ''];
      child.stdout.on('data', (text: Buffer) => (output += text.toString()));
      child.stderr.on('data', (text: Buffer) => (notes += text.toString()));
      const [code] = (await once(child, 'close')) as [number];
      assert.equal(code, 0, notes);
      const result = JSON.parse(output) as Record<string, unknown>;
      assert.equal(result['images'], 3_000);
      const { longestPauseMs } = result['start'] as Measurement;
      assert.ok(Object.values(longestPauseMs).every((pauseMs) => pauseMs > 0));
      for (const kind of [
        'oneClient',
        'oneClientStream',
        'oneClientById',
        'manyClients',
        'manyClientStreams',
        'streaming',
      ]) {
        const { queries, latency, cpuMsPerQuery, longestPauseMs } = result[kind] as Measurement;
        assert.ok(queries > 0, kind);
        const { p50Ms = 0, p99Ms = 0, maxMs = 0 } = latency;
        assert.ok(0 < p50Ms && p50Ms <= p99Ms && p99Ms <= maxMs, kind);
        assert.deepEqual(Object.keys(cpuMsPerQuery).sort(), [...PROCESSES].sort());
        assert.ok(Object.values(longestPauseMs).every((pauseMs) => pauseMs > 0));
      }
      assert.ok((result['oneShardServer'] as Measurement).queries > 0);
      const emptyCalls = result['emptyCalls'] as Record<'oneClient' | 'manyClients', EmptyCallsResult>;
      for (const { callsPerSecond, latency } of Object.values(emptyCalls))
        assert.ok(callsPerSecond > 0 && 0 < latency.p50Ms && latency.p50Ms <= latency.p99Ms);
      // the bench waits until every streamed record is searchable, beside those written beforehand
      assert.ok((result['streamed'] as { records: number }).records > 1);
      assert.deepEqual(
        leftovers().filter((name) => !before.has(name)),
        [],
      );
    },
  );
});

describe('parseMetrics', () => {
  it('reads samples with and without labels and passes over comments', () => {
    const text = '# HELP a b\na 1\nb{x="1",role="shard"} 2.5\nb{x="2",role="shard"} 4\nc NaN\n';
    const samples = parseMetrics(text);
    assert.equal(samples.length, 4);
    assert.deepEqual(samples[1], { name: 'b', labels: 'x="1",role="shard"', value: 2.5 });
    assert.equal(sumOf(samples, 'b'), 6.5);
    assert.ok(Number.isNaN(sumOf(samples, 'absent')));
  });
});
