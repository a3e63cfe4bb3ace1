import { openProgress, type Progress } from '../progress.js';

/** Progress of work that goes through stages, one bar after the other. */
export interface StageProgress {
  readonly show: (stage: string, done: number, total: number) => void;
  readonly stop: () => void;
}

/** @param titles what to call each stage; a stage without a title is called by its own name */
export function openStageProgress(titles: Readonly<Record<string, string>>): StageProgress {
  let current: { readonly stage: string; readonly bar: Progress } | undefined;
  const stop = (): void => {
    current?.bar.stop();
    current = undefined;
  };
  const show = (stage: string, done: number, total: number): void => {
    if (current?.stage !== stage) {
      stop();
      const title = titles[stage] ?? stage;
      current = { stage, bar: openProgress(`${title} [{bar}] {value}/{total}, {eta_formatted} left`) };
      current.bar.start(total);
    }
    current.bar.update(done);
  };
  return { show, stop };
}
