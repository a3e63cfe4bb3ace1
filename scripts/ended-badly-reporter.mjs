// A reporter for node's test runner: the paths of the files whose every test passed and whose process then ended badly.
export default async function* endedBadly(source) {
  const failedIn = new Map();
  for await (const { type, data } of source) {
    if (type !== 'test:fail') continue;
    const file = data.file ?? data.name;
    const kind = data.nesting === 0 && /\.m?js$/.test(data.name) ? 'process' : 'test';
    failedIn.set(file, (failedIn.get(file) ?? new Set()).add(kind));
  }
  for (const [file, kinds] of failedIn) if (!kinds.has('test')) yield `${file}\n`;
  if ([...failedIn.values()].some((kinds) => kinds.has('test'))) yield 'FAILED\n';
}
