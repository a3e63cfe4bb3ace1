import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openGrpcClient } from '../../src/runtime/grpc-client.js';
import { isServing } from '../../src/runtime/grpc-health.js';
import type { FetchResponse__Output } from '../../src/generated/kinscan/v1/FetchResponse.js';
import { freePort } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';
import { recordOf } from './records.js';
import { startTestCluster } from './shard-harness.js';

const MAIN = new URL('../../src/shard/main.js', import.meta.url).href;
const SCRIPT = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1), process.env);`;

function command(...flags: string[]): string[] {
  return ['--input-type=module', '-e', SCRIPT, '--', ...flags];
}

describe('kinscan shard', () => {
  it('explains itself, and refuses wrong usage with one line that names every fault', () => {
    const help = spawnSync(process.execPath, command('--help'), { encoding: 'utf8' });
    assert.equal(help.status, 0);
    assert.match(help.stdout, /--data-dir .*\[KINSCAN_DATA_DIR\]/);
    const wrong = spawnSync(process.execPath, command('--port', '99999', '--batch-length-max', 'x'), {
      encoding: 'utf8',
    });
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^kinscan shard: INVALID_ARGUMENT: .*--port.*--batch-length-max.*\n$/);
  });

  it('ends with 1 and one line where its port is taken', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const dataDir = await temporaryFolder();
    const flags = [
      '--nats',
      cluster.nats.address,
      '--port',
      String(cluster.nats.port),
      '--data-dir',
      dataDir,
    ];
    const taken = spawnSync(process.execPath, command(...flags, '--log-level', 'silent'), {
      encoding: 'utf8',
    });
    assert.equal(taken.status, 1);
    assert.match(taken.stderr, /^kinscan shard: INVALID_ARGUMENT: cannot listen on .*\n$/);
  });

  it('keeps its name and its images over SIGKILL, and drains on SIGTERM', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const dataDir = await temporaryFolder();
    const port = await freePort();
    const httpPort = await freePort();
    const flags = [
      '--nats',
      cluster.nats.address,
      '--port',
      String(port),
      '--http-port',
      String(httpPort),
      '--data-dir',
      dataDir,
      '--id',
      's1',
    ];
    const launch = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, command(...flags, '--log-level', 'error'), {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      cluster.undo(() => void child.kill('SIGKILL'));
      await waitUntil('the shard server serves', () => isServing(`127.0.0.1:${port}`));
      return child;
    };
    const end = async (child: ChildProcess, signal: NodeJS.Signals) => {
      const ended = once(child, 'exit');
      child.kill(signal);
      return (await ended)[0] as number | null;
    };
    const client = openGrpcClient({
      address: `127.0.0.1:${port}`,
      service: 'Shard',
      messageBytesMax: 1 << 24,
      unavailable: 'SHARD_UNAVAILABLE',
    });
    cluster.undo(() => client.close());
    const ids = Array.from({ length: 400 }, (_, i) => `image ${i}`);
    const publish = async () => {
      for (const [i, id] of ids.entries())
        await cluster.publishRecord(recordOf(id, i + 1, Buffer.from([1, 1])));
    };
    let child = await launch();
    const publishing = publish();
    for (let kill = 0; kill < 3; kill++) {
      await end(child, 'SIGKILL');
      child = await launch();
    }
    await publishing;
    const revisions = await waitUntil('all images are there', async () => {
      const { records } = await client.call<object, FetchResponse__Output>(
        'Fetch',
        { imageIds: ids },
        { timeoutMs: 5_000 },
      );
      return records.length === ids.length && records.map(({ revision }) => revision);
    });
    assert.deepEqual(
      revisions,
      ids.map((_, i) => i + 1),
    );
    const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    const valueOf = (name: string) => Number(new RegExp(`^${name}{.*} (\\S+)`, 'm').exec(metrics)?.[1]);
    assert.match(metrics, /^kinscan_shard_loaded_partitions_total{source="blobs".*} 4$/m);
    assert.doesNotMatch(metrics, /source="tieEntries"/);
    assert.equal(valueOf('kinscan_shard_corrupt_blobs_total'), 0);
    for (const name of ['index_bytes', 'index_reserved_bytes', 'attribute_bytes', 'store_memory_bytes']) {
      assert.ok(valueOf(`kinscan_shard_${name}`) > 0, `${name} is told`);
    }
    // 400 records, each with a label of its own, and the set without values
    assert.equal(valueOf('kinscan_shard_attribute_sets'), 401);
    assert.equal(await end(child, 'SIGTERM'), 0);
  });

  it('makes a name for itself once where none is given', async (test) => {
    const cluster = await startTestCluster(test, ['s1']);
    const dataDir = await temporaryFolder();
    await cluster.state.followMembers();
    const names = new Set<string>();
    for (let run = 0; run < 2; run++) {
      const flags = [
        '--nats',
        cluster.nats.address,
        '--port',
        '0',
        '--data-dir',
        dataDir,
        '--log-level',
        'error',
      ];
      const child = spawn(process.execPath, command(...flags), { stdio: 'inherit' });
      cluster.undo(() => void child.kill('SIGKILL'));
      const ended = once(child, 'exit');
      const [member] = await waitUntil('the member', () => {
        const members = cluster.state.members();
        return members.length === 1 && members;
      });
      names.add(member?.id ?? '');
      child.kill('SIGTERM');
      await ended;
      await waitUntil('it has left', () => cluster.state.members().length === 0);
    }
    assert.deepEqual([...names], [(await readFile(path.join(dataDir, 'shard-id'), 'utf8')).trim()]);
  });
});
