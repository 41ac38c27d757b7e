import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Box } from './support.js';

let box: Box;
beforeEach(async () => {
  box = new Box();
});
afterEach(() => box.end());

const VALUES = { version: 1, unloading: { strategy: 'balanced', ttl: null }, apps: { m: { env: { TOKEN: null } } } };
const CHANGE = {
  changed: [{ key: 'apps.m.unload.requires', before: [], after: ['a'] }],
  warnings: ['a warning'],
};

it.each([[[]], [['--origin']], [['set', 'a.b', '1']], [['reset', 'a.b']], [['reset']]])(
  'config %j without a master exits 3',
  async (args) => {
    const { code, out, err } = await box.cli(['config', ...args]);
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(/^error: .*supervisor start\n$/);
  },
);

describe('showing', () => {
  it('prints one file', async () => {
    await box.serve();
    box.answer('GET /api/config', VALUES);
    const { code, out } = await box.cli(['config']);
    expect([code, parse(out)]).toEqual([0, VALUES]);
    expect(JSON.parse((await box.cli(['config', '--json'])).out)).toEqual(VALUES);
  });

  it('prints a table of origins, files here without their folder', async () => {
    await box.serve();
    const origins = {
      'unloading.strategy': { value: 'balanced', origin: `${join(box.dir, 'supervisor.yaml')}:3:5` },
      'unloading.enabled': { value: true, origin: 'default' },
      'apps.m.unload.requires': { value: ['a'], origin: 'run time 2026-01-02T03:04:05.000Z' },
    };
    box.answer('GET /api/config?origin=true', origins);
    const { code, out } = await box.cli(['config', '--origin']);
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['KEY', 'VALUE', 'ORIGIN'],
      ['unloading.strategy', 'balanced', 'supervisor.yaml:3:5'],
      ['unloading.enabled', 'true', 'default'],
      ['apps.m.unload.requires', '["a"]', 'run time 2026-01-02T03:04:05.000Z'],
    ]);
    expect(JSON.parse((await box.cli(['config', '--origin', '--json'])).out)).toEqual(origins);
  });

  it('moves no cursor, whatever stands in a value', async () => {
    await box.serve();
    box.answer('GET /api/config', { project: 'a\u001b[2Jb', apps: {} });
    box.answer('GET /api/config?origin=true', { project: { value: 'a\u001b[2Jb', origin: 'default' } });
    for (const args of [[], ['--origin'], ['--json']])
      expect((await box.cli(['config', ...args])).out).not.toContain('\u001b');
  });
});

describe('changing', () => {
  it.each<[text: string, value: unknown]>([
    ['aggressive', 'aggressive'],
    ['5', 5],
    ['true', true],
    ['null', null],
    ['80%', '80%'],
    ['[a, b]', ['a', 'b']],
    ['{ min: 0, max: 2 }', { min: 0, max: 2 }],
    ['"5"', '5'],
  ])('set reads %s as YAML does', async (text, value) => {
    await box.serve();
    box.answer('PATCH /api/config', CHANGE);
    const { code, out, err } = await box.cli(['config', 'set', 'a.b', text]);
    expect([code, out, err]).toEqual([0, 'apps.m.unload.requires: [] → ["a"]\n', 'warning: a warning\n']);
    expect(box.asked.at(-1)).toEqual({ method: 'PATCH', path: '/api/config', body: { 'a.b': value } });
  });

  it('reset asks for one key, or for everything', async () => {
    await box.serve();
    box.answer('DELETE /api/config?key=apps.my%20app.timeout', CHANGE);
    box.answer('DELETE /api/config', { changed: [], warnings: [] });
    expect(JSON.parse((await box.cli(['config', 'reset', 'apps.my app.timeout', '--json'])).out)).toEqual(CHANGE);
    expect((await box.cli(['config', 'reset'])).out).toBe('nothing changed\n');
  });

  it.each([
    ['SUP_CONFIG_INVALID', 400, 2],
    ['SUP_BAD_REQUEST', 400, 2],
    ['SUP_CONFLICT', 409, 1],
  ] as const)('tells what is refused by %s line by line', async (code, status, exit) => {
    await box.serve();
    const problems = ['run-time change a: unknown key', 'run-time change b: unknown key'];
    box.fail('PATCH /api/config', status, code, 'two problems', { problems });
    expect(await box.cli(['config', 'set', 'a', '1'])).toEqual({
      code: exit,
      out: '',
      err: `${problems.join('\n')}\n`,
    });
  });

  it.each([
    [['get', 'a'], /config knows set and reset, not 'get'/],
    [['set', 'a'], /takes a key and its value/],
    [['set'], /takes a key and its value/],
    [['reset', 'a', 'b'], /takes one key/],
    [['set', 'a', 'b', '--origin'], /--origin is for/],
  ])('%j is bad usage', async (args, message) => {
    await box.serve();
    const { code, err } = await box.cli(['config', ...args]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(box.asked).toEqual([]);
  });
});
