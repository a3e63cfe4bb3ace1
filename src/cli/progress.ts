import { Presets, SingleBar } from 'cli-progress';

/** A bar on a terminal, nothing elsewhere; on standard error, so that results stay clean. */
export interface Progress {
  start(total: number): void;
  update(done: number, fields?: Readonly<Record<string, string | number>>): void;
  setTotal(total: number): void;
  stop(): void;
}

/** @param format as cli-progress has it, for instance `{bar} {value}/{total} {rate}` */
export function openProgress(format: string): Progress {
  if (!process.stderr.isTTY) return { start() {}, update() {}, setTotal() {}, stop() {} };
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, etaBuffer: 200 },
    Presets.shades_classic,
  );
  return {
    start: (total) => bar.start(total, 0, { rate: '' }),
    update: (done, fields = {}) => bar.update(done, fields),
    setTotal: (total) => bar.setTotal(total),
    stop: () => bar.stop(),
  };
}
