/** HAMMING: the paper's order, ties by tie key. FINE: ties by the Hamming distance of the fine codes, then by tie key. */
export type Ranking = 'HAMMING' | 'FINE';

/**
 * One image in the index. Rows are a multiset: (tieKey, code, fineCode, attributes) is the whole identity and may
 * repeat.
 */
export interface IndexRow {
  /** Unsigned 64-bit hash of the image id (core/tie-key.ts). */
  readonly tieKey: bigint;
  /** ceil(codeBits / 8) bytes, layout of core/code.ts, spare bits 0. */
  readonly code: Uint8Array;
  /** ceil(fineCodeBits / 8) bytes; empty where the index has no fine codes. */
  readonly fineCode: Uint8Array;
  /** Number of the row's attribute set (attributes/attribute-table.ts), below 2^26; 0: none. */
  readonly attributes: number;
}

export type IndexChange =
  { readonly kind: 'add'; readonly row: IndexRow } | ({ readonly kind: 'remove' } & IndexRow);

/** Rows end to end, as they lie in the stored blobs: row i has codes[i * codeBytes ...], tieKeys[i], fineCodes[...]. */
export interface PackedRows {
  readonly count: number;
  /** count x ceil(codeBits / 8) bytes */
  readonly codes: Uint8Array;
  /** count keys */
  readonly tieKeys: BigUint64Array;
  /** count x ceil(fineCodeBits / 8) bytes; empty where the index has no fine codes */
  readonly fineCodes: Uint8Array;
  /** count numbers of attribute sets */
  readonly attributes: Uint32Array;
}

/** The same as plain bytes, wherever they lie: as store/row-block.ts has them, numbers little-endian. */
export interface RowBytes {
  readonly count: number;
  /** 8 bytes a row */
  readonly tieKeys: Uint8Array;
  /** 4 bytes a row */
  readonly attributes: Uint8Array;
  readonly codes: Uint8Array;
  readonly fineCodes: Uint8Array;
}

/** Which attribute sets the rows of an answer may have. */
export interface IndexFilter {
  /** Bit n % 32 of word n / 32: rows of set n may be answers. Sets beyond the bitmap or beyond `sets` may not. */
  readonly allowed: Uint32Array;
  /** Size of the attribute table that the bitmap was made for. */
  readonly sets: number;
}

/** A place in the canonical order. */
export interface IndexPlace {
  readonly distance: number;
  /** 0 where the ranking is HAMMING. */
  readonly fineDistance: number;
  readonly tieKey: bigint;
}

export interface IndexQuery {
  readonly code: Uint8Array;
  /** Needed for FINE to have an effect; without it FINE answers as HAMMING. */
  readonly fineCode?: Uint8Array;
  /** Answers wanted, 1 to 10,000. */
  readonly k: number;
  /** Only rows at this Hamming distance or nearer, in bits. @default no limit */
  readonly maxDistance?: number;
  readonly ranking: Ranking;
  /** Only rows that it allows. @default all rows */
  readonly filter?: IndexFilter;
  /**
   * Only rows at this place in canonical order or after it: with the place of the last answer, the next page. Rows at the
   * very place come again, and the caller knows by their ids which it has had. @default from the first
   */
  readonly after?: IndexPlace;
  /** Which partitions to search; each must be in the index. */
  readonly partitions: readonly number[];
  /** Aborted: the query is dropped if it still waits, and rejects with signal.reason in any case. */
  readonly signal?: AbortSignal;
}

/**
 * The answers in canonical order (distance, fineDistance, tieKey), as columns. Ids are resolved by the caller, from
 * (partition, tieKey) in RocksDB.
 */
export interface IndexHits {
  readonly count: number;
  readonly partitions: Uint16Array;
  /** Hamming distances, 0 to codeBits. */
  readonly distances: Uint16Array;
  /** Hamming distances of the fine codes, 0 to fineCodeBits; all 0 where the ranking was HAMMING. */
  readonly fineDistances: Uint16Array;
  readonly tieKeys: BigUint64Array;
}

export interface PartitionStats {
  readonly partition: number;
  /** Live rows. */
  readonly rows: number;
  /** Distinct codes of the immutable base; an upper bound of those alive. */
  readonly distinctCodes: number;
  /** Rows appended since the base was built, dead ones included. */
  readonly deltaRows: number;
  /** Rows that were removed and still take space. */
  readonly deadRows: number;
  /** Bytes in use: columns filled, tables, tombstones. */
  readonly usedBytes: number;
  /** Bytes of address space; pages never written to take no memory. */
  readonly reservedBytes: number;
  /** Times the base was rebuilt since the partition was loaded. */
  readonly rebuilds: number;
}

export interface ShardIndexStats {
  readonly partitions: readonly PartitionStats[];
  readonly rows: number;
  readonly usedBytes: number;
  /** Queries that wait for a thread. */
  readonly queuedQueries: number;
  /** Queries that a thread works on. */
  readonly runningQueries: number;
}

/** Switches for tests and benchmarks; the defaults are right for serving. None changes an answer. */
export interface IndexTuning {
  /** Rows that even a small partition may append before it is rebuilt. @default 16,384 */
  readonly deltaRowsMin?: number;
  /** Distinct codes from which a partition may have tables for multi-index hashing. @default 2,000,000 */
  readonly tableCodesMin?: number;
  /**
   * Whether tables are used, chunk tables and lists by attribute set: by cost, always, or never. 'never' also compares all codes,
   * where the others pass over blocks that are too far. @default 'auto'
   */
  readonly probe?: 'auto' | 'always' | 'never';
  /** A lone query that is expected to compare this many codes is split over free threads. @default 4,000,000 */
  readonly splitCodesMin?: number;
  /** Galleries of up to so many rows are searched on the calling thread; 0: no query is, however cheap. @default 65,536 */
  readonly inlineRowsMax?: number;
}

export interface ShardIndexOptions {
  /** Bits of a code, 8 to 256. */
  readonly codeBits: number;
  /** Bits of a fine code, 8 to 512; 0: rows have none. */
  readonly fineCodeBits: number;
  /** Worker threads that search, 1 to 64. */
  readonly searchThreads: number;
  /** Queries that may wait for a thread; one more is refused with OVERLOADED. */
  readonly queueLengthMax: number;
  readonly tuning?: IndexTuning;
}

/** The rows of a partition on their way into the index. */
export interface PartitionLoad {
  /**
   * The index's memory where rows `first` to below `first + count` will lie, the first row of the load being 0: whoever
   * reads rows from a file reads them to there, and append() has nothing to copy. It is nobody's after done() and
   * abandon().
   * @returns undefined where there is no room for so many, or codes lie padded there
   */
  place(first: number, count: number): RowBytes | undefined;
  /**
   * Takes the next rows: copies what is not in its place(); `rows` may be reused then. They may lie in a later place.
   * @throws KinscanError INVALID_ARGUMENT where they do not fit their count, the code lengths or the room asked for; the
   *   load can only be abandoned then
   */
  append(rows: RowBytes): void;
  /** The partition holds exactly the rows appended, and is searchable. */
  done(): void;
  /** Instead of done(): the index is as it was. */
  abandon(): void;
}

/** The in-memory codes of the partitions of one shard server, and exact search over them (docs/search.md). */
export interface ShardIndex {
  /**
   * Makes `partition` hold exactly these rows (none: an empty partition). For start-up: the rows are copied at once and
   * searchable when the call returns; `rows` may be reused then.
   * @throws KinscanError INVALID_ARGUMENT where the columns do not fit the count, or an attribute set's number is too
   *   large
   */
  load(partition: number, rows: PackedRows): void;

  /**
   * The same in pieces, so that nobody needs to hold all rows of a partition beside the index.
   * @param room `rows` at most; the numbers of their attribute sets are below `attributesEnd`
   */
  beginLoad(
    partition: number,
    room: { readonly rows: number; readonly attributesEnd: number },
  ): PartitionLoad;

  /**
   * Adds and removes rows, in order; a remove may name a row that this very call adds. An upsert is remove(old) and
   * add(new) in one call: every search sees all of a call or nothing of it. Creates the partition where it is new.
   * Calls for one partition take effect in the order in which they were made.
   * @returns once searches that start from now on see the changes
   * @throws KinscanError CODE_LENGTH_MISMATCH; INVALID_ARGUMENT as load(); INTERNAL where a row to remove is not there (nothing is applied then)
   */
  apply(partition: number, changes: readonly IndexChange[]): Promise<void>;

  /**
   * The exact first k rows in canonical order.
   * @throws KinscanError INVALID_K, INVALID_ARGUMENT, CODE_LENGTH_MISMATCH, STALE_PLACEMENT (a partition that is not
   *   here), OVERLOADED (queue full), DRAINING (closed); signal.reason where the query is aborted
   */
  search(query: IndexQuery): Promise<IndexHits>;

  stats(): ShardIndexStats;

  /** Partitions held, ascending. */
  partitions(): readonly number[];

  /** Forgets a partition and its memory; searches under way finish on what they began with. */
  drop(partition: number): void;

  /** Resolves once no partition is being rebuilt. Searches do not need this; benchmarks and tests do. */
  settled(): Promise<void>;

  /** Refuses new work, finishes what was accepted, ends the threads. */
  close(): Promise<void>;
}
