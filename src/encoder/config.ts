import { KinscanError } from '../core/errors.js';
import { IMAGE_BYTES_MAX_DEFAULT } from '../runtime/message-limits.js';
import type { ConfigOf, ConfigTable } from '../runtime/config.js';
import { portOptions, ROLE_OPTIONS } from '../runtime/role-options.js';

const MIB = 1024 * 1024;
/** Whoever guesses the key can try all patient ids: 32 hexadecimal digits are 128 bits. */
const PATIENT_HASH_KEY_LENGTH_MIN = 32;

/** All that can be set of an encoder node. */
export const ENCODER_CONFIG = {
  ...ROLE_OPTIONS,
  ...portOptions(7710, 0),
  id: { kind: 'string', default: '', description: 'name in the cluster; empty: host name and port' },
  model: { kind: 'string', default: 'models/default', description: 'model folder' },
  engine: {
    kind: 'choice',
    choices: ['auto', 'onnx', 'tfjs'],
    default: 'auto',
    description: 'what runs the network; auto: tfjs on a GPU where there is one, else onnx',
  },
  decodeThreads: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 256,
    description: 'threads that decode images; 0: one a core, at most 32',
  },
  inferenceThreads: {
    kind: 'integer',
    default: 0,
    min: 0,
    max: 64,
    description: 'threads that run the network, each with a model of its own; 0: 1 to 8 by cores, 1 on a GPU',
  },
  batchImagesMax: {
    kind: 'integer',
    default: 32,
    min: 1,
    max: 4_096,
    unit: 'images',
    description: 'images in one run of the network',
  },
  batchWaitMaxMs: {
    kind: 'integer',
    default: 2,
    min: 0,
    max: 1_000,
    unit: 'ms',
    description: 'how long an image waits for others before the network runs',
  },
  imagesInFlightMax: {
    kind: 'integer',
    default: 256,
    min: 1,
    max: 4_096,
    unit: 'images',
    description: 'queue entries held at once',
  },
  bytesInFlightMax: {
    kind: 'integer',
    default: 256 * MIB,
    min: 2 * MIB,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    description: 'files held at once',
  },
  attemptsMax: {
    kind: 'integer',
    default: 8,
    min: 1,
    max: 1_000,
    description: 'deliveries of an image before it becomes a dead letter',
  },
  publishTimeoutMs: {
    kind: 'integer',
    default: 5_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    description: 'wait for the acknowledgement of one published record',
  },
  publishRetryMaxMs: {
    kind: 'integer',
    default: 60_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    description: 'how long publishing is tried again before the image goes back to the queue',
  },
  queriesInFlightMax: {
    kind: 'integer',
    default: 256,
    min: 1,
    max: 65_536,
    description: 'queries held at once; one more is refused with OVERLOADED',
  },
  imageBytesMax: {
    kind: 'integer',
    default: IMAGE_BYTES_MAX_DEFAULT,
    min: 1_024,
    max: 1_024 * MIB,
    unit: 'bytes',
    description: 'largest file that is decoded',
  },
  imagePixelsMax: {
    kind: 'integer',
    default: 100_000_000,
    min: 1_024,
    max: 2_000_000_000,
    unit: 'pixels',
    description: 'largest frame that is decoded, width times height',
  },
  framesMax: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    max: 100_000,
    description: 'frames of one DICOM instance',
  },
  patientHashKey: {
    kind: 'string',
    default: '',
    secret: true,
    description:
      'secret key, 32 characters or more, that makes patient hashes of DICOM patient ids; the same on every encoder, for good; empty: none are made',
  },
} as const satisfies ConfigTable;

export type EncoderConfig = ConfigOf<typeof ENCODER_CONFIG>;

/** What the table cannot say. @throws KinscanError INVALID_ARGUMENT, without the key in the text */
export function checkEncoderConfig({ patientHashKey }: EncoderConfig): void {
  if (patientHashKey !== '' && patientHashKey.length < PATIENT_HASH_KEY_LENGTH_MIN) {
    const message = `--patient-hash-key has at least ${PATIENT_HASH_KEY_LENGTH_MIN} characters`;
    throw new KinscanError('INVALID_ARGUMENT', message);
  }
}
