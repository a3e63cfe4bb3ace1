/** One line of a plot. */
export interface PlotSeries {
  readonly title: string;
  /** Points by x; every series has the same x values. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly PlotSeries[];
}

const WIDTH = 760;
const HEIGHT = 440;
const LEFT = 64;
const RIGHT = 230;
const TOP = 40;
const BOTTOM = 52;
const Y_TICKS = 6;
/** Okabe and Ito's colours, which colour-blind readers can tell apart, and two greys. */
const COLOURS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#8a8a00',
  '#000000',
  '#888888',
];

/**
 * A line plot as an SVG document of its own.
 *
 *        title
 *   y  ^ |-----*-----*        * series 1
 *      | |  *-----*           * series 2
 *      0 +------------> x
 *
 * The y axis covers the values, rounded outwards to twentieths, within 0 to 1.
 */
export function linePlotSvg({ title, xTitle, yTitle, series }: LinePlot): string {
  const values = series.flatMap(({ points }) => points.map(([, y]) => y));
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const low = Math.max(0, Math.floor(Math.min(1, ...values) * 20) / 20);
  const high = Math.max(low + 0.05, Math.min(1, Math.ceil(Math.max(0, ...values) * 20) / 20));
  const [firstX, lastX] = [xs[0] ?? 0, xs[xs.length - 1] ?? 1];
  const atX = (x: number) => LEFT + ((x - firstX) / Math.max(1e-9, lastX - firstX)) * (WIDTH - LEFT - RIGHT);
  const atY = (y: number) => HEIGHT - BOTTOM - ((y - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const plotRight = WIDTH - RIGHT;
  const plotBottom = HEIGHT - BOTTOM;
  const ticks = Array.from({ length: Y_TICKS }, (_, i) => low + ((high - low) * i) / (Y_TICKS - 1));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text((LEFT + plotRight) / 2, 24, title, 'text-anchor="middle" font-size="16"'),
    ...ticks.flatMap((tick) => [
      line(LEFT, atY(tick), plotRight, atY(tick), '#dddddd'),
      text(LEFT - 8, atY(tick) + 4, tick.toFixed(2), 'text-anchor="end"'),
    ]),
    ...xs.map((x) => text(atX(x), plotBottom + 18, String(x), 'text-anchor="middle"')),
    line(LEFT, plotBottom, plotRight, plotBottom, '#000000'),
    line(LEFT, TOP, LEFT, plotBottom, '#000000'),
    text((LEFT + plotRight) / 2, HEIGHT - 12, xTitle, 'text-anchor="middle"'),
    text(
      18,
      (TOP + plotBottom) / 2,
      yTitle,
      `text-anchor="middle" transform="rotate(-90 18 ${(TOP + plotBottom) / 2})"`,
    ),
    ...series.flatMap((one, index) => seriesSvg(one, index, atX, atY)),
    '</svg>',
    '',
  ].join('\n');
}

function seriesSvg(
  { title, points }: PlotSeries,
  index: number,
  atX: (x: number) => number,
  atY: (y: number) => number,
): string[] {
  const colour = COLOURS[index % COLOURS.length] as string;
  const path = points.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`).join(' ');
  const legendY = TOP + 14 + index * 22;
  const legendX = WIDTH - RIGHT + 16;
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/>`,
    ...points.map(
      ([x, y]) => `<circle cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="3" fill="${colour}"/>`,
    ),
    line(legendX, legendY - 4, legendX + 22, legendY - 4, colour, 2),
    text(legendX + 28, legendY, title, ''),
  ];
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, width = 1): string {
  const ends = `x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}"`;
  return `<line ${ends} stroke="${colour}" stroke-width="${width}"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;
}

export function escapeXml(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
