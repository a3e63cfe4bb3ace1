/** What the commands print with --json (CONTRACT), as far as tests look. */
export interface IngestDocument {
  readonly accepted: number;
  readonly rejected: number;
  readonly failed: readonly { readonly path: string; readonly code: string; readonly message: string }[];
  readonly seconds: number;
}

export interface SearchDocument {
  readonly hits: readonly {
    readonly id: string;
    readonly distance: number;
    readonly metadata: Record<string, unknown>;
  }[];
  readonly partitionsAnswered: number;
  readonly partitionsTotal: number;
  readonly modelVersion: string;
  readonly timingsMs: { readonly encode: number; readonly search: number; readonly total: number };
}

export interface StatusDocument {
  readonly images: number;
  readonly imagesQueued: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly replicas: readonly {
      readonly shardServer: string;
      readonly images: number;
      readonly lag: number;
    }[];
  }[];
  readonly members: readonly { readonly id: string; readonly role: string }[];
  readonly deadLetters: number;
  readonly modelVersion: string;
}

export interface DeadLettersDocument {
  readonly deadLetters: readonly {
    readonly sequence: number;
    readonly id: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly total: number;
}
