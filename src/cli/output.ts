import Table from 'cli-table3';

/** Prints the one JSON document of a command. */
export function printJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

/** Prints a table for people. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push([...row]);
  process.stdout.write(`${table.toString()}\n`);
}

/** For notes that are not the result: standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
