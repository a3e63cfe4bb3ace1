import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { KinscanError } from '../core/errors.js';
import { trainModel, type TrainingReport, type TrainModelOptions } from './train-model.js';
import { resolveTrainingSettings } from './training-settings.js';

/**
 * Trains longer codes from shorter ones (PAPER.md, "Training"): each stage carries the layers of the stage before over
 * and widens the hash layer.
 *
 *   OUT/stage-16 ──▶ OUT/stage-32 ──▶ OUT          for lengths [16, 32] and a code of 48 bits
 *
 * Each stage runs all iterations, with the margin in proportion to its length; only the last learns a fine code. With
 * `resume`, finished stages are kept and the unfinished one goes on. Stage folders are removed at the end.
 * @param lengths shorter code lengths in bits, ascending
 * @throws KinscanError as trainModel does; DRAINING where it was told to stop before the last stage
 */
export async function trainByLengths(
  options: TrainModelOptions,
  lengths: readonly number[],
): Promise<TrainingReport> {
  const { settings, outFolder, observer, note, resume } = options;
  checkLengths([...lengths, settings.codeBits]);
  let fromFolder = options.fromFolder;
  const stageFolders: string[] = [];
  for (const codeBits of lengths) {
    const stageFolder = path.join(outFolder, `stage-${codeBits}`);
    stageFolders.push(stageFolder);
    if (!(resume && isFinished(stageFolder))) {
      note(`stage of ${codeBits} bits`);
      const margin = (settings.margin * codeBits) / settings.codeBits;
      const stage = resolveTrainingSettings({ ...settings, codeBits, margin, fineCodeBits: 0 });
      await trainModel({ ...withFrom(options, fromFolder), settings: stage, outFolder: stageFolder });
      if (observer.stopRequested()) {
        throw new KinscanError('DRAINING', `stopped in the stage of ${codeBits} bits; --resume goes on`);
      }
    }
    fromFolder = stageFolder;
  }
  if (lengths.length > 0) note(`stage of ${settings.codeBits} bits`);
  const report = await trainModel(withFrom(options, fromFolder));
  if (!observer.stopRequested()) {
    for (const folder of stageFolders) await rm(folder, { recursive: true, force: true });
  }
  return report;
}

function withFrom(options: TrainModelOptions, fromFolder: string | undefined): TrainModelOptions {
  return fromFolder === undefined ? options : { ...options, fromFolder };
}

/** A stage that was stopped has a model as well, but keeps its checkpoint. */
function isFinished(stageFolder: string): boolean {
  return (
    existsSync(path.join(stageFolder, 'manifest.json')) &&
    !existsSync(path.join(stageFolder, 'training.checkpoint'))
  );
}

function checkLengths(lengths: readonly number[]): void {
  const ascending = lengths.every((length, at) => at === 0 || length > (lengths[at - 1] as number));
  if (!ascending) {
    throw new KinscanError('INVALID_ARGUMENT', `code lengths ascend: ${lengths.join(', ')} do not`);
  }
}
