import { KinscanError } from '../../core/errors.js';
import type { LogPosition } from '../store/record-store.js';
import { GENERATION_MAX } from '../store/tie-entry.js';

/** What NATS tells of the CODES stream. */
export interface LogState {
  /** The stream's creation time, as text: another time means another log. */
  readonly created: string;
  /** First entry still kept; lastSequence + 1 (or 0 or 1 for a new stream) where none is. */
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/**
 * Where a partition goes on in the log that is there:
 *
 *     same log                          after the last entry that was applied
 *     same log, but shorter than that   after its present end, as a new generation (its end was lost, say by a restore)
 *     another log                       at its beginning, as a new generation
 *
 * In a new generation sequence numbers and revisions begin low again; the generation keeps them above the old ones.
 * @throws KinscanError LOG_TRIMMED where entries that were not applied are gone from the log
 */
export function resumePosition(position: LogPosition, log: LogState): LogPosition {
  const resumed = resume(position, log);
  if (log.firstSequence > resumed.sequence + 1) {
    throw new KinscanError(
      'LOG_TRIMMED',
      `the CODES log begins at ${log.firstSequence}, but entries after ${resumed.sequence} were not applied yet`,
    );
  }
  return resumed;
}

function resume(position: LogPosition, log: LogState): LogPosition {
  const { generation } = position;
  if (position.log === '') return { sequence: 0, generation, log: log.created };
  const next = Math.min(generation + 1, GENERATION_MAX);
  if (position.log !== log.created) return { sequence: 0, generation: next, log: log.created };
  if (log.lastSequence < position.sequence) {
    return { sequence: log.lastSequence, generation: next, log: log.created };
  }
  return position;
}
