import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ALIAS_NAMES } from '../../src/config/aliases.js';
import { APP_KINDS, APP_SCHEMAS } from '../../src/config/app-schema.js';
import { keyPaths } from '../../src/config/keys.js';
import { loadConfig } from '../../src/config/load.js';
import { fileSchema } from '../../src/config/schema.js';
import { folderWith, refusal } from './support.js';

const values = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    'm.mjs',
    '30s',
    '1GiB',
    '10%',
    '90%',
    '3000MiB',
    'auto',
    0.5,
    'max',
    'model',
    'http',
    'command',
    'header:x',
    'log:x',
    null,
    0,
    -1,
    1e300,
    ['a'],
    ['m.mjs'],
    { a: 'ready' },
  ),
);
const keysOf = (...schemas: Parameters<typeof keyPaths>[0][]) => [
  ...new Set(schemas.flatMap((schema) => keyPaths(schema))),
];
const appKeys = fc.constantFrom(...keysOf(...APP_KINDS.map((kind) => APP_SCHEMAS[kind])), 'zzz', 'recycle.zzz');
const fileKeys = fc.constantFrom(...keysOf(fileSchema).filter((key) => key !== 'apps'), 'zzz');
const apps = fc.dictionary(
  fc.constantFrom('a', 'b', '7', 'toString'),
  fc.array(fc.tuple(appKeys, values), { maxLength: 6 }),
);

const aliases = fc.dictionary(
  fc.constantFrom(...ALIAS_NAMES, ...ALIAS_NAMES.map((name) => name.toUpperCase())),
  fc.oneof(fc.string(), fc.constantFrom('0', '0.5', '1', '85%', '3000', 'false', '1e9', 'NaN', '-1')),
  { maxKeys: 3 },
);

const VARIABLE = `SUPERVISOR__\\w+|${ALIAS_NAMES.flatMap((name) => [name, name.toUpperCase()]).join('|')}`;
const PROBLEM = new RegExp(`^(?:\\S*supervisor\\.yaml:\\d+:\\d+|${VARIABLE}) \\S`);

it('answers whatever is written with a configuration or with problems that have a place', () => {
  const dir = folderWith({ 'm.mjs': '' });
  const file = path.join(dir, 'supervisor.yaml');
  fc.assert(
    fc.property(
      apps,
      fc.array(fc.tuple(fileKeys, values), { maxLength: 3 }),
      fc.dictionary(fileKeys, fc.string(), { maxKeys: 2 }),
      aliases,
      (named, top, env, foreign) => {
        const tree: Record<string, unknown> = {
          apps: Object.fromEntries(Object.entries(named).map(([name, keys]) => [name, nested(keys)])),
        };
        writeFileSync(file, JSON.stringify({ ...nested(top), ...tree }, null, 1));
        const variables = Object.entries(env).map(([key, value]) => [
          `SUPERVISOR__${key.toUpperCase().replaceAll('.', '__')}`,
          value,
        ]);
        const all = { ...Object.fromEntries(variables), ...foreign };
        for (const line of refusal(() => loadConfig(file, { env: all }))) expect(line).toMatch(PROBLEM);
      },
    ),
    { numRuns: 300 },
  );
});

it('answers whatever text with a configuration or with problems that have a place', () => {
  const dir = folderWith({});
  const file = path.join(dir, 'supervisor.yaml');
  const yaml = fc.array(
    fc.constantFrom(
      'apps',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '*a',
      '&a',
      '!x',
      '|',
      '"',
      "'",
      '#',
      '? ',
      '---\n',
      'a',
      '1',
      ',',
      '<<',
      '\t',
    ),
    {
      maxLength: 30,
    },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        yaml.map((parts) => parts.join('')),
        fc.string({ unit: 'binary' }),
      ),
      (text) => {
        writeFileSync(file, text);
        for (const line of refusal(() => loadConfig(file, { env: {} }))) expect(line).toMatch(PROBLEM);
      },
    ),
    { numRuns: 1000 },
  );
});

function nested(keys: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [dotted, value] of keys) {
    const steps = dotted.split('.');
    let at = root;
    for (const step of steps.slice(0, -1)) {
      if (typeof at[step] !== 'object' || at[step] === null || Array.isArray(at[step])) at[step] = {};
      at = at[step] as Record<string, unknown>;
    }
    // A copy: the next key may be put into it.
    at[steps.at(-1)!] = structuredClone(value);
  }
  return root;
}
