/** One line of a Prometheus text. */
export interface MetricSample {
  readonly name: string;
  /** As in the text, `partition="3",role="shard"`; empty where there are none. */
  readonly labels: string;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/** What a role's /metrics says now. @throws Error where it does not answer */
export async function readMetrics(url: string): Promise<MetricSample[]> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return parseMetrics(await response.text());
}

/** The samples of the Prometheus text format, version 0.0.4; comments are left out. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
}

/** The sum of a metric over its labels; NaN where it is not there. */
export function sumOf(samples: readonly MetricSample[], name: string): number {
  const found = samples.filter((sample) => sample.name === name);
  return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
}
