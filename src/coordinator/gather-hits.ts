import { KinscanError, toKinscanError } from '../core/errors.js';
import type { HitList } from '../core/hit-list.js';
import { mergeHitLists } from '../core/merge-hit-lists.js';
import { partitionOf } from '../core/tie-key.js';
import type { Hit } from '../generated/kinscan/v1/Hit.js';
import type { ImageRecord, ImageRecord__Output } from '../generated/kinscan/v1/ImageRecord.js';
import { messageCodec } from '../runtime/proto.js';
import type { Deadline } from './deadline.js';
import type { RecordFetcher } from './record-fetcher.js';
import type { ShardAnswer } from './scatter.js';

const recordCodec = messageCodec<ImageRecord, ImageRecord__Output>('ImageRecord');

export interface GatherOptions {
  readonly answers: readonly ShardAnswer[];
  readonly k: number;
  readonly includeThumbnails: boolean;
  readonly partitionCount: number;
  readonly fetcher: RecordFetcher;
  readonly deadline: Deadline;
}

export interface GatheredHits {
  readonly hits: Hit[];
  /** The first k of all, those that were deleted meanwhile included. */
  readonly winners: HitList;
  /** Partitions whose shard server answered to the end. */
  readonly partitionsAnswered: number;
  /** The last failure, where a shard server found hits and was gone when their metadata was asked for. */
  readonly failure: KinscanError | undefined;
}

/**
 * Merges what the shard servers found into the first k (groups, where they grouped) and fetches metadata for those alone, unless it came with the hits.
 *
 * A shard server that fails between its search and its fetch counts as not having answered: the rest is merged again, so
 * that an answer is always the exact first k of the partitions that it counts. A winner that was deleted in between is
 * left out and takes nothing from the counts: it no longer belongs to the gallery.
 */
export async function gatherHits(options: GatherOptions): Promise<GatheredHits> {
  const { k, includeThumbnails, partitionCount, fetcher, deadline } = options;
  const records = new Map<string, ImageRecord__Output>();
  const asked = new Set<string>();
  const encoded = new Map<string, Uint8Array>();
  for (const { hits, records: withHits } of options.answers) {
    withHits?.forEach((record, i) => {
      const imageId = hits.imageIds[i] as string;
      asked.add(imageId);
      if (record.length > 0) encoded.set(imageId, record);
    });
  }
  let answers = options.answers;
  let failure: KinscanError | undefined;
  for (;;) {
    const winners = mergeHitLists(
      answers.map(({ hits }) => hits),
      k,
    );
    const failed = new Set<ShardAnswer>();
    const fetches = [...winnersByAnswer(winners, answers, partitionCount)].map(async ([answer, ids]) => {
      const missing = ids.filter((id) => !asked.has(id));
      for (const id of missing) asked.add(id);
      if (missing.length === 0) return;
      try {
        const what = { includeThumbnail: includeThumbnails, includeEmbedding: false };
        for (const record of await fetcher.from(answer.shardServer, missing, what, deadline))
          records.set(record.imageId, record);
      } catch (thrown) {
        failure = toKinscanError(thrown);
        failed.add(answer);
      }
    });
    await Promise.all(fetches);
    if (failed.size === 0) {
      const partitionsAnswered = new Set(answers.flatMap(({ partitions }) => partitions)).size;
      return { hits: hitsOf(winners, records, encoded), winners, partitionsAnswered, failure };
    }
    answers = answers.filter((answer) => !failed.has(answer));
  }
}

function winnersByAnswer(
  winners: HitList,
  answers: readonly ShardAnswer[],
  partitionCount: number,
): Map<ShardAnswer, string[]> {
  const answerOf = new Map(
    answers.flatMap((answer) => answer.partitions.map((partition) => [partition, answer] as const)),
  );
  const byAnswer = new Map<ShardAnswer, string[]>();
  for (let i = 0; i < winners.count; i++) {
    const answer = answerOf.get(partitionOf(winners.tieKeys[i] as bigint, partitionCount));
    if (answer === undefined) throw new KinscanError('INTERNAL', 'a hit of a partition that was not asked');
    const ids = byAnswer.get(answer);
    if (ids === undefined) byAnswer.set(answer, [winners.imageIds[i] as string]);
    else ids.push(winners.imageIds[i] as string);
  }
  return byAnswer;
}

/** @param encoded records that came with hits: most are of losers, and never decoded */
function hitsOf(
  winners: HitList,
  records: ReadonlyMap<string, ImageRecord__Output>,
  encoded: ReadonlyMap<string, Uint8Array>,
): Hit[] {
  const hits: Hit[] = [];
  for (let i = 0; i < winners.count; i++) {
    const imageId = winners.imageIds[i] as string;
    const bytes = encoded.get(imageId);
    const record = bytes === undefined ? records.get(imageId) : recordCodec.decode(bytes);
    if (record === undefined) continue;
    hits.push({
      imageId,
      distance: winners.distances[i] as number,
      fineDistance: winners.fineDistances[i] as number,
      metadata: record.metadata,
      thumbnail: record.thumbnail,
    });
  }
  return hits;
}
