/** One instruction of a Dockerfile, its continuation lines joined. */
export interface Instruction {
  readonly name: string;
  readonly argument: string;
}

/** One stage: FROM base AS name, and what follows. */
export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile in order (https://docs.docker.com/reference/dockerfile/). @throws Error on a line that is no instruction */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const match = /^([A-Z]+)\s+(.+)$/.exec(line);
    if (match === null) throw new Error(`not an instruction: ${line}`);
    const [, name = '', argument = ''] = match;
    if (name === 'FROM') {
      const [, base = '', stage = ''] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(argument) ?? [];
      stages.push({ name: stage, base, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`${name} before FROM`);
      stage.instructions.push({ name, argument });
    }
  }
  return stages;
}

/** The instructions of a stage with those of the stages it is built on, in the order in which they apply. */
export function inheritedInstructions(stages: readonly Stage[], name: string): readonly Instruction[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage === undefined ? [] : [...inheritedInstructions(stages, stage.base), ...stage.instructions];
}

/** The words of an instruction in exec form: CMD ["a", "b"]. @throws Error in shell form, which would not get signals */
export function execForm(argument: string): string[] {
  const json: unknown = JSON.parse(argument.slice(argument.indexOf('[')));
  if (!Array.isArray(json) || !json.every((word) => typeof word === 'string'))
    throw new Error(`not in exec form: ${argument}`);
  return json;
}
