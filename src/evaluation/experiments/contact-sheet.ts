import { encodeGrayPng } from '../../imaging/raster.js';
import type { ExperimentData, ExperimentSet } from './experiment-data.js';
import { escapeXml } from './line-plot.js';

/** The first results of one method for one query. */
export interface SheetRow {
  readonly title: string;
  readonly results: readonly string[];
}

const TILE = 72;
const GAP = 6;
const TITLE_WIDTH = 190;

/**
 * The first results of several methods for the same query, as an SVG document with the images inside: the query on
 * top, then a row per method. Green frames are results of the query's class, red ones of another. It shows images of
 * the data set, so it is not for committing.
 */
export async function contactSheetSvg(
  data: ExperimentData,
  queryId: string,
  rows: readonly SheetRow[],
): Promise<string> {
  const columns = Math.max(1, ...rows.map(({ results }) => results.length));
  const width = TITLE_WIDTH + columns * (TILE + GAP) + GAP;
  const height = (rows.length + 1) * (TILE + GAP) + GAP;
  const queryRow = data.queries.imageIds.indexOf(queryId);
  const label = data.queries.labels[queryRow];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    titleAt(0, `query: ${data.classes[label ?? -1] ?? ''}`),
    await tileAt(data.queries, queryRow, 0, 0, '#000000'),
  ];
  const rowOfId = new Map(data.gallery.imageIds.map((id, row) => [id, row]));
  for (const [i, { title, results }] of rows.entries()) {
    parts.push(titleAt(i + 1, title));
    for (const [column, id] of results.entries()) {
      const row = rowOfId.get(id);
      if (row === undefined) continue;
      const colour = data.gallery.labels[row] === label ? '#009e73' : '#d00000';
      parts.push(await tileAt(data.gallery, row, i + 1, column, colour));
    }
  }
  return [...parts, '</svg>', ''].join('\n');
}

function titleAt(line: number, title: string): string {
  const y = GAP + line * (TILE + GAP) + TILE / 2 + 4;
  return `<text x="${GAP}" y="${y}">${escapeXml(title)}</text>`;
}

async function tileAt(
  images: ExperimentSet,
  row: number,
  line: number,
  column: number,
  colour: string,
): Promise<string> {
  const { inputSize, pixels } = images.set.images;
  const bytes = inputSize ** 2;
  const png = await encodeGrayPng(pixels.subarray(row * bytes, (row + 1) * bytes), inputSize, inputSize);
  const place = `x="${TITLE_WIDTH + column * (TILE + GAP)}" y="${GAP + line * (TILE + GAP)}" width="${TILE}" height="${TILE}"`;
  const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  return `<image ${place} href="${source}"/><rect ${place} fill="none" stroke="${colour}" stroke-width="3"/>`;
}
