import {
  AckPolicy,
  DiscardPolicy,
  nanos,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type NatsConnection,
  type StreamConfig,
} from './nats.js';

/** JetStream names. `IMAGES` is the work queue, `CODES` the ordered log, `DEAD_LETTERS` what could not be indexed. */
export const STREAM = { images: 'IMAGES', codes: 'CODES', deadLetters: 'DEAD_LETTERS' } as const;
/** The durable pull consumer of IMAGES that all encoder nodes share. */
export const ENCODER_CONSUMER = 'encoders';
/** Object store bucket of the images above the inline limit. */
export const OBJECT_BUCKET = 'kinscan-images';

export const SUBJECT = {
  images: 'kinscan.images',
  deadLetters: 'kinscan.dead-letters',
  codes: (partition: number) => `kinscan.codes.${partition}`,
  /** Entries that concern every partition. */
  codesAll: 'kinscan.codes.all',
  codesEvery: 'kinscan.codes.*',
  /** Core NATS, EncodedNotice. */
  encodedNotice: 'kinscan.notice.encoded',
  /** Core NATS, AppliedNotice. */
  appliedNotice: 'kinscan.notice.applied',
} as const;

/** Files up to this size travel inside the IMAGES message; nats-server's max_payload (8 MiB in our configuration) must be well above. */
export const INLINE_BYTES_MAX = 1024 * 1024;
/** Time an encoder has for one image before it is delivered again; longer work reports that it is under way. */
export const ENCODER_ACK_WAIT_MS = 30_000;
/** Images that all encoders together may hold unacknowledged. */
export const ENCODER_ACK_PENDING_MAX = 4096;

export interface StreamLimits {
  /** Bytes of images waiting to be encoded; at the limit ingest is refused with STORAGE_FULL. @default 8 GiB */
  readonly imagesBytesMax: number;
  /** Bytes of the CODES log; at the limit encoders wait. @default 16 GiB */
  readonly codesBytesMax: number;
  /** Bytes of dead letters; at the limit the oldest go. @default 2 GiB */
  readonly deadLettersBytesMax: number;
  /** Copies of each stream in the NATS cluster: 1, 3 or 5. @default 1 */
  readonly replicas: number;
}

const GIB = 1024 ** 3;

export const STREAM_LIMITS_DEFAULT: StreamLimits = {
  imagesBytesMax: 8 * GIB,
  codesBytesMax: 16 * GIB,
  deadLettersBytesMax: 2 * GIB,
  replicas: 1,
};

/** Creates what is missing of the streams, the encoders' consumer and the object store; leaves what exists as it is. */
export async function ensureStreams(
  connection: NatsConnection,
  limits: StreamLimits = STREAM_LIMITS_DEFAULT,
): Promise<void> {
  const manager = await connection.jetstreamManager();
  const common = { storage: StorageType.File, num_replicas: limits.replicas } as const;
  await ensureStream(manager, {
    ...common,
    name: STREAM.images,
    subjects: [SUBJECT.images],
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    max_bytes: limits.imagesBytesMax,
    duplicate_window: nanos(120_000),
  });
  await ensureStream(manager, {
    ...common,
    name: STREAM.codes,
    subjects: [SUBJECT.codesEvery],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: limits.codesBytesMax,
    allow_direct: true,
    duplicate_window: nanos(120_000),
  });
  await ensureStream(manager, {
    ...common,
    name: STREAM.deadLetters,
    subjects: [SUBJECT.deadLetters],
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_bytes: limits.deadLettersBytesMax,
    duplicate_window: nanos(120_000),
  });
  await ensureEncoderConsumer(manager);
  const { views } = connection.jetstream();
  await createdByAny(() =>
    views.os(OBJECT_BUCKET, {
      storage: StorageType.File,
      replicas: limits.replicas,
      max_bytes: limits.imagesBytesMax,
    }),
  );
}

/**
 * Brings the size limits of the streams in line with a configuration, whoever created them and with which.
 * Only coordinators are told the limits.
 */
export async function applyStreamLimits(connection: NatsConnection, limits: StreamLimits): Promise<void> {
  const manager = await connection.jetstreamManager();
  const bytesMaxByStream = {
    [STREAM.images]: limits.imagesBytesMax,
    [STREAM.codes]: limits.codesBytesMax,
    [STREAM.deadLetters]: limits.deadLettersBytesMax,
    [`OBJ_${OBJECT_BUCKET}`]: limits.imagesBytesMax,
  };
  for (const [name, bytesMax] of Object.entries(bytesMaxByStream)) {
    const { config } = await manager.streams.info(name);
    if (config.max_bytes !== bytesMax) await manager.streams.update(name, { ...config, max_bytes: bytesMax });
  }
}

/** JetStream says so to the slower of two processes that create one stream at once, even where both want the same. */
const NAME_IN_USE_CODE = 10_058;

/** Opens a bucket that several processes may create at once: who was slower finds it there at the second look. */
export async function createdByAny<Bucket>(open: () => Promise<Bucket>): Promise<Bucket> {
  try {
    return await open();
  } catch (error) {
    const apiError = (error as { api_error?: { err_code?: number } }).api_error;
    if (apiError?.err_code !== NAME_IN_USE_CODE) throw error;
    return open();
  }
}

async function ensureStream(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { name: string },
): Promise<void> {
  if (await exists(() => manager.streams.info(config.name))) return;
  await addUnlessThere(
    () => manager.streams.add(config),
    () => manager.streams.info(config.name),
  );
}

async function ensureEncoderConsumer(manager: JetStreamManager): Promise<void> {
  const info = () => manager.consumers.info(STREAM.images, ENCODER_CONSUMER);
  if (await exists(info)) return;
  const add = () =>
    manager.consumers.add(STREAM.images, {
      durable_name: ENCODER_CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ENCODER_ACK_WAIT_MS),
      max_ack_pending: ENCODER_ACK_PENDING_MAX,
      // the encoder itself counts deliveries, so that the last failure becomes a dead letter with its reason
      max_deliver: -1,
    });
  await addUnlessThere(add, info);
}

async function exists(info: () => Promise<unknown>): Promise<boolean> {
  try {
    await info();
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Several processes may create the same thing at once: losing that race is success. */
async function addUnlessThere(add: () => Promise<unknown>, info: () => Promise<unknown>): Promise<void> {
  try {
    await add();
  } catch (error) {
    if (!(await exists(info))) throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return (
    error instanceof Error &&
    'api_error' in error &&
    (error.api_error as { code?: number } | undefined)?.code === 404
  );
}
