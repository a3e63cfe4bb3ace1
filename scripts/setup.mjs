#!/usr/bin/env node
// Makes a fresh checkout ready with nothing but Node.js: packages, build, nats-server. Run by npm before
// start, test, lint and bench; by hand: npm run setup [-- --gpu]
//
//   node version -> npm ci -> proto types, kernel, tsc -> our own command -> nats-server [-> GPU binding]
//
// Every step does nothing when its result is there already, so that a second run takes less than a second.
import { join } from 'node:path';
import { build, buildIsCurrent } from './setup/build.mjs';
import { REPOSITORY } from './setup/files.mjs';
import { installGpu } from './setup/gpu.mjs';
import { withLock } from './setup/lock.mjs';
import { installNatsServer, natsServerIsCurrent } from './setup/nats-server.mjs';
import { checkNodeVersion } from './setup/node-version.mjs';
import { linkOwnBin, ownBinIsLinked } from './setup/own-bin.mjs';
import { installPackages, packagesAreCurrent } from './setup/packages.mjs';
import { SetupError, say } from './setup/progress.mjs';

const USAGE = `usage: npm run setup [-- --gpu]
  --gpu      also download TensorFlow's GPU binding (about 400 MB)
  --no-nats  leave nats-server out (npm run build)`;
const KNOWN = ['--gpu', '--no-nats'];

async function setUp(options) {
  const nats = !options.includes('--no-nats');
  const current = () =>
    packagesAreCurrent() && buildIsCurrent() && ownBinIsLinked() && (!nats || natsServerIsCurrent());
  if (!current()) {
    const startMs = Date.now();
    await withLock(join(REPOSITORY, '.cache', 'setup.lock'), async () => {
      await installPackages();
      await build();
      linkOwnBin();
      if (nats) await installNatsServer();
    });
    say(`ready after ${Math.round((Date.now() - startMs) / 1000)} s`);
  }
  if (options.includes('--gpu') && !(await installGpu())) process.exitCode = 1;
}

async function main(options) {
  if (options.some((option) => !KNOWN.includes(option))) {
    process.stderr.write(`${USAGE}\n`);
    process.exitCode = options.includes('--help') ? 0 : 2;
    return;
  }
  try {
    checkNodeVersion();
    await setUp(options);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    if (error.details !== '') process.stderr.write(`${error.details}\n`);
    process.stderr.write(`setup failed: ${error.message}\n`);
    process.exitCode = 1;
  }
}

await main(process.argv.slice(2));
