import type { Hit__Output } from '../generated/kinscan/v1/Hit.js';

/** A hit as the documents of the commands have it (CONTRACT). */
export function hitDocument(hit: Hit__Output) {
  return {
    id: hit.imageId,
    distance: hit.distance,
    fineDistance: hit.fineDistance,
    metadata: presentMetadata(hit),
  };
}

/** Metadata without the fields that say nothing. */
function presentMetadata(hit: Hit__Output): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(hit.metadata ?? {}).filter(([, value]) => value !== '' && value !== 0),
  );
}
