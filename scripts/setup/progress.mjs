// What set-up says while it works: short lines on standard error, so that a command's JSON on standard
// output stays clean.

const TICK_MS = 1000;
const LINE_EVERY_TICKS = 15;

export function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** A failure the user can act on: what a program printed, if anything, then one clear line; no stack. */
export class SetupError extends Error {
  constructor(message, details = '') {
    super(message);
    this.details = details;
  }
}

/**
 * Runs `work` under a visible label: a counter of seconds on a terminal, a line every 15 s elsewhere.
 * @template T
 * @param {string} label what is being done, in the progressive: "installing the packages (npm ci)"
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(label, work) {
  const startMs = Date.now();
  const seconds = () => Math.round((Date.now() - startMs) / 1000);
  const terminal = process.stderr.isTTY;
  process.stderr.write(`setup: ${label} ...${terminal ? '' : '\n'}`);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    if (terminal) process.stderr.write(`\rsetup: ${label} ... ${seconds()} s`);
    else if (ticks % LINE_EVERY_TICKS === 0) say(`${label} ... ${seconds()} s`);
  }, TICK_MS);
  let outcome = 'failed';
  try {
    const result = await work();
    outcome = 'done';
    return result;
  } finally {
    clearInterval(timer);
    process.stderr.write(`${terminal ? '\r' : ''}setup: ${label} ... ${outcome}, ${seconds()} s\n`);
  }
}
