import { SingleBar } from 'cli-progress';
import type { TrainingObserver } from '../../model/trainer.js';
import { note } from '../output.js';

type Observer = Omit<TrainingObserver, 'saveCheckpoint' | 'stopRequested'>;

export interface TrainingProgress {
  readonly observer: Observer;
  readonly note: (line: string) => void;
  readonly stop: () => void;
}

/** Progress of a run on standard error: a bar on a terminal, JSON lines otherwise. */
export function createTrainingReport(iterations: number): TrainingProgress {
  return process.stderr.isTTY ? barReport(iterations) : lineReport(iterations);
}

const SETTLED_EVERY = 50;

function barReport(iterations: number): TrainingProgress {
  const format =
    'training [{bar}] {value}/{total} loss {loss} rate {rate} held-out mAP@100 {map} {eta_formatted} left';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, etaBuffer: 50 });
  let map = '-';
  let started = false;
  const observer: Observer = {
    iterationDone(iteration, loss, rate) {
      const payload = { loss: loss.toFixed(3), rate: rate.toPrecision(2), map };
      if (started) return bar.update(iteration, payload);
      started = true;
      bar.start(iterations, iteration, payload);
    },
    validated(_iteration, score) {
      map = score.mapAt100.toFixed(4);
    },
    settled(iteration, loss) {
      bar.stop();
      if (iteration % SETTLED_EVERY === 0) note(`settling the head: ${iteration}, loss ${loss.toFixed(3)}`);
    },
  };
  return { observer, note, stop: () => bar.stop() };
}

const LINE_EVERY_MS = 5000;

function lineReport(iterations: number): TrainingProgress {
  const startedAt = Date.now();
  let writtenAt = 0;
  let first: number | undefined;
  const line = (fields: object): void => note(JSON.stringify(fields));
  const observer: Observer = {
    iterationDone(iteration, loss, learningRate) {
      first ??= iteration - 1;
      const now = Date.now();
      if (iteration !== iterations && now - writtenAt < LINE_EVERY_MS) return;
      writtenAt = now;
      const secondsPerIteration = (now - startedAt) / 1000 / (iteration - first);
      const secondsLeft = Math.round(secondsPerIteration * (iterations - iteration));
      line({ event: 'progress', iteration, iterations, loss, learningRate, secondsLeft });
    },
    settled(iteration, loss) {
      if (iteration % SETTLED_EVERY === 0) line({ event: 'settled', iteration, loss });
    },
    validated: (iteration, score, isBest) => line({ event: 'validated', iteration, isBest, ...score }),
  };
  return { observer, note: (message) => line({ event: 'note', message }), stop: () => undefined };
}

/** A bar while images are read; nothing where standard error is no terminal. */
export function loadingProgress(): ((done: number, total: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new SingleBar({
    format: 'reading  [{bar}] {value}/{total} files',
    stream: process.stderr,
    hideCursor: true,
  });
  return (done, total) => {
    if (done === 1) bar.start(total, 0);
    bar.update(done);
    if (done === total) bar.stop();
  };
}
