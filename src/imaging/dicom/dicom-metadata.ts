import type { ImageMetadata } from '../../core/image-metadata.js';
import type { Elements } from './elements.js';
import type { PixelLayout } from './pixel-layout.js';

/** The metadata of one frame; only the elements named here are read. @param frameIndex from 0 */
export function metadataOf(elements: Elements, layout: PixelLayout, frameIndex: number): ImageMetadata {
  const isMultiFrame = layout.frameCount > 1;
  const metadata = {
    modality: wordOf(elements, 'x00080060'),
    bodyPart: wordOf(elements, 'x00180015'),
    laterality: wordOf(elements, 'x00200062') ?? wordOf(elements, 'x00200060'),
    studyInstanceUid: uidOf(elements, 'x0020000d'),
    seriesInstanceUid: uidOf(elements, 'x0020000e'),
    sopInstanceUid: uidOf(elements, 'x00080018'),
    frameNumber: isMultiFrame ? frameIndex + 1 : undefined,
    numberOfFrames: isMultiFrame ? layout.frameCount : undefined,
    rows: layout.rows,
    columns: layout.columns,
  };
  const present = Object.entries(metadata).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present);
}

/** VR CS allows 16 characters; what does not look like one code word is dropped, lest it be free text. */
function wordOf(elements: Elements, tag: string): string | undefined {
  const text = elements.text(tag);
  return text !== undefined && /^[A-Za-z0-9_ -]{1,16}$/.test(text) ? text : undefined;
}

/** VR UI: at most 64 digits and dots. */
export function uidOf(elements: Elements, tag: string): string | undefined {
  const text = elements.text(tag);
  return text !== undefined && /^[0-9.]{1,64}$/.test(text) ? text : undefined;
}
