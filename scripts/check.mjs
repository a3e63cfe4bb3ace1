#!/usr/bin/env node
// Everything CI runs: the linters, then every test. With words (npm test -- shard) only the tests whose path
// holds one of them. The test runner's summary is the last thing printed; a lint fault fails the check too.
import { lint } from './lint.mjs';
import { runTests } from './run-tests.mjs';

const words = process.argv.slice(2);
const linted = words.length > 0 || (await lint());
if (!linted) process.stdout.write('lint failed (above): the tests still run, but this check fails\n');
const testsExitCode = await runTests(words);
process.exitCode = linted ? testsExitCode : 1;
