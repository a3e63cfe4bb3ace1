import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createServer, type AddressInfo } from 'node:net';
import { assertPortFree, freePort } from '../../src/cli/up/free-port.js';
import { lockDataDir } from '../../src/cli/up/data-dir-lock.js';
import { SupervisedChild } from '../../src/cli/up/supervised-child.js';
import { WatchJournal } from '../../src/cli/up/watch-journal.js';
import { KinscanError } from '../../src/core/errors.js';
import { createLog } from '../../src/runtime/log.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitUntil } from '../helpers/wait-until.js';

const log = createLog('test', 'test', 'silent');

describe('the lock of a data folder', () => {
  it('keeps a second process out while the first lives, and not after', async () => {
    const dataDir = await temporaryFolder();
    const holder = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    writeFileSync(path.join(dataDir, 'kinscan.lock'), String(holder.pid));
    assert.throws(
      () => lockDataDir(dataDir),
      (error) => error instanceof KinscanError && error.message.includes(String(holder.pid)),
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const unlock = lockDataDir(dataDir);
    assert.equal(readFileSync(path.join(dataDir, 'kinscan.lock'), 'utf8'), String(process.pid));
    unlock();
    assert.ok(!existsSync(path.join(dataDir, 'kinscan.lock')));
  });

  it('says clearly that a folder cannot be used', async () => {
    const file = path.join(await temporaryFolder(), 'a-file');
    writeFileSync(file, '');
    assert.throws(() => lockDataDir(path.join(file, 'data')), /cannot use the data folder/);
  });
});

describe('the ports of a local cluster', () => {
  it('are refused before anything is started where something else listens', async (test) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    test.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    await assert.rejects(assertPortFree(port), (error) =>
      (error as KinscanError).message.includes(String(port)),
    );
    await assertPortFree(await freePort());
  });
});

describe('a supervised child', () => {
  it('is started again when it dies and stays down once stopped', async () => {
    const starts = path.join(await temporaryFolder(), 'starts');
    const script = `require('fs').appendFileSync(${JSON.stringify(starts)}, process.pid + '\\n'); setTimeout(() => {}, 60000)`;
    const child = new SupervisedChild(
      { name: 'sleeper', command: process.execPath, args: ['-e', script], env: process.env, ipc: false },
      log,
    );
    const startCount = () =>
      existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n').length : 0;
    await waitUntil('the first start', () => startCount() === 1);
    process.kill(child.pid as number, 'SIGKILL');
    await waitUntil('the second start', () => startCount() === 2);
    const last = child.pid as number;
    await child.stop();
    assert.throws(() => process.kill(last, 0), { code: 'ESRCH' });
    assert.equal(startCount(), 2);
  });
});

describe('the watch journal', () => {
  it('remembers over a restart what was ingested', async () => {
    const file = path.join(await temporaryFolder(), 'watch', 'journal.json');
    const journal = new WatchJournal(file);
    journal.set('a.png', { sizeBytes: 1, modifiedMs: 2, imageId: 'a.png' });
    journal.set('b.png', { sizeBytes: 1, modifiedMs: 2, imageId: 'b.png' });
    journal.delete('b.png');
    journal.save();
    const again = new WatchJournal(file);
    assert.deepEqual(again.paths(), ['a.png']);
    assert.deepEqual(again.get('a.png'), { sizeBytes: 1, modifiedMs: 2, imageId: 'a.png' });
  });

  it('starts anew where its file is damaged', async () => {
    const file = path.join(await temporaryFolder(), 'journal.json');
    writeFileSync(file, '{"half": ');
    assert.deepEqual(new WatchJournal(file).paths(), []);
  });
});
