import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { KinscanError } from '../core/errors.js';

interface OptionBase<Kind extends string, Value> {
  readonly kind: Kind;
  readonly default: Value;
  readonly description: string;
  /** Hidden when the configuration is logged. */
  readonly secret?: boolean;
}

interface NumberOption extends OptionBase<'integer' | 'number', number> {
  readonly min: number;
  readonly max: number;
  /** For instance ms or bytes. */
  readonly unit?: string;
}

interface ChoiceOption extends OptionBase<'choice', string> {
  readonly choices: readonly string[];
}

export type ConfigOption =
  OptionBase<'string', string> | OptionBase<'boolean', boolean> | NumberOption | ChoiceOption;

/**
 * The one table of a role: keys in camelCase; the flag is the key in kebab-case, the environment variable KINSCAN_ and
 * the key in upper case with underscores, the file's key the key itself.
 */
export type ConfigTable = Readonly<Record<string, ConfigOption>>;

/** The configuration that a table describes. */
export type ConfigOf<Table extends ConfigTable> = {
  readonly [Key in keyof Table]: Table[Key] extends { kind: 'choice'; choices: readonly (infer Choice)[] }
    ? Choice
    : Table[Key] extends { kind: 'integer' | 'number' }
      ? number
      : Table[Key] extends { kind: 'boolean' }
        ? boolean
        : string;
};

export interface ConfigSources {
  /** Without node and script. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function environmentVariableOf(key: string): string {
  return `KINSCAN_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/**
 * Defaults < file (--config, JSON) < environment < flags. Frozen.
 * @throws KinscanError INVALID_ARGUMENT that names every fault at once
 */
export function resolveConfig<Table extends ConfigTable>(
  table: Table,
  sources: ConfigSources,
): ConfigOf<Table> {
  const faults: string[] = [];
  const flags = readFlags(table, sources.argv, faults);
  const file = readFile(flags['config'] ?? sources.env['KINSCAN_CONFIG'], table, faults);
  const config: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) {
    const given = [
      [flags[key], flagOf(key)],
      [sources.env[environmentVariableOf(key)], environmentVariableOf(key)],
      [file[key], `${key} in the configuration file`],
    ].find(([value]) => value !== undefined) as [unknown, string] | undefined;
    config[key] = given === undefined ? option.default : parseValue(option, given[0], given[1], faults);
  }
  if (faults.length > 0) throw new KinscanError('INVALID_ARGUMENT', faults.join('; '));
  return Object.freeze(config) as ConfigOf<Table>;
}

function readFlags(
  table: ConfigTable,
  argv: readonly string[],
  faults: string[],
): Record<string, string | boolean> {
  const keys = ['config', ...Object.keys(table)];
  const options = Object.fromEntries(
    keys.map((key) => [
      flagOf(key).slice(2),
      { type: table[key]?.kind === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
    const byFlag = new Map(keys.map((key) => [flagOf(key).slice(2), key]));
    return Object.fromEntries(
      Object.entries(values).map(([flag, value]) => [byFlag.get(flag), value]),
    ) as Record<string, string | boolean>;
  } catch (error) {
    faults.push((error as Error).message);
    return {};
  }
}

function readFile(path: unknown, table: ConfigTable, faults: string[]): Record<string, unknown> {
  if (typeof path !== 'string') return {};
  try {
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    for (const key of Object.keys(parsed)) if (!(key in table)) faults.push(`unknown key ${key} in ${path}`);
    return parsed;
  } catch (error) {
    faults.push(`cannot read configuration file ${path}: ${(error as Error).message}`);
    return {};
  }
}

function parseValue(option: ConfigOption, value: unknown, from: string, faults: string[]): unknown {
  switch (option.kind) {
    case 'string':
      return String(value);
    case 'boolean':
      if (value === true || value === 'true' || value === '1') return true;
      if (value === false || value === 'false' || value === '0') return false;
      faults.push(`${from} is true or false, not ${String(value)}`);
      return option.default;
    case 'choice':
      if (option.choices.includes(String(value))) return value;
      faults.push(`${from} is one of ${option.choices.join(', ')}, not ${String(value)}`);
      return option.default;
    case 'integer':
    case 'number': {
      const number = String(value).trim() === '' ? NaN : Number(value);
      const whole = option.kind === 'number' || Number.isInteger(number);
      if (whole && number >= option.min && number <= option.max) return number;
      const what = option.kind === 'integer' ? 'a whole number' : 'a number';
      faults.push(
        `${from} is ${what} from ${option.min} to ${option.max}${option.unit ? ` ${option.unit}` : ''}, not ${String(value)}`,
      );
      return option.default;
    }
  }
}

/** The configuration as it may be logged. */
export function redactConfig(
  table: ConfigTable,
  config: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      table[key]?.secret && value !== '' ? '(hidden)' : value,
    ]),
  );
}

/** The text of `--help`, one line an option. */
export function helpOf(command: string, summary: string, table: ConfigTable): string {
  const rows = Object.entries(table).map(([key, option]) => {
    const range =
      'min' in option ? `, ${option.min} to ${option.max}${option.unit ? ` ${option.unit}` : ''}` : '';
    const choices = option.kind === 'choice' ? `, one of ${option.choices.join(', ')}` : '';
    const fallback = option.default === '' ? '' : ` (default ${option.default}${range}${choices})`;
    return [`  ${flagOf(key)}`, `${option.description}${fallback} [${environmentVariableOf(key)}]`] as const;
  });
  rows.push([
    '  --config',
    'JSON file with the same keys in camelCase; environment and flags win over it [KINSCAN_CONFIG]',
  ]);
  const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
  return [
    `Usage: kinscan ${command} [options]`,
    '',
    summary,
    '',
    'Options:',
    ...rows.map(([flag, text]) => flag.padEnd(width) + text),
    '',
  ].join('\n');
}
