import type { IngestWait } from '../../generated/kinscan/v1/IngestWait.js';

/** `--wait queued|indexed` as the proto names it. */
export function ingestWaitOf(wait: 'queued' | 'indexed'): IngestWait {
  return wait === 'indexed' ? 'INGEST_WAIT_INDEXED' : 'INGEST_WAIT_QUEUED';
}
