import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { type PluginApi, Plugins, type PluginsOptions } from '../../src/master/plugins.js';
import { Strategies } from '../../src/models/strategies.js';
import { Hooks } from '../../src/monitor/hooks.js';

const DIST = process.env.SUPERVISOR_TEST_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));

/** What the modules of these tests leave behind. */
const seen: string[] = [];
let dir: string;
let hooks: Hooks;
let reports: string[];
let warned: string[];
let strategies: Strategies;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'plug-'));
  seen.length = 0;
  reports = [];
  warned = [];
  strategies = new Strategies((text) => warned.push(text));
  hooks = new Hooks((message) => reports.push(message));
  Object.assign(globalThis, { pluginSeen: seen });
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  for (const name of ['pluginSeen', 'pluginApi']) Reflect.deleteProperty(globalThis, name);
});

function write(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

function plugins(options: PluginsOptions = {}): Plugins {
  return new Plugins(hooks, strategies, (text) => warned.push(text), options);
}

/** A module that notes its loading, and each decision under its own name. */
const noting = (who: string) => `
  pluginSeen.push('loaded ${who}');
  export default { onDecision: ({ action }) => pluginSeen.push('${who} ' + action) };`;

function decide(action: string): string[] {
  seen.length = 0;
  hooks.decision({ time: 't', policy: 'scale', subject: 'web', action, reason: 'r', numbers: {} });
  return [...seen];
}

describe('Plugins', () => {
  it('registers hooks that a module exports, or that its function returns, resolves with or registers', async () => {
    const files = [
      write('object.mjs', noting('object')),
      write('common.cjs', `module.exports = { onDecision: ({ action }) => void pluginSeen.push('common ' + action) };`),
      write(
        'returns.mjs',
        `export default () => ({ onDecision: ({ action }) => pluginSeen.push('returns ' + action) });`,
      ),
      write('later.mjs', `export default async () => ({ onDecision: () => pluginSeen.push('later') });`),
      write(
        'registers.mjs',
        `export default ({ registerHooks, log }) => {
          registerHooks({ onDecision: () => pluginSeen.push('first') });
          registerHooks({ onDecision: () => pluginSeen.push('second') })();
          log('hello');
        };`,
      ),
    ];
    const logged: string[] = [];
    expect(await plugins({ info: (text) => logged.push(text) }).load(files)).toEqual([]);
    expect(seen).toEqual(['loaded object']);
    expect(decide('grow')).toEqual(['object grow', 'common grow', 'returns grow', 'later', 'first']);
    expect(logged).toEqual([`plug-in ${files[4]}: hello`]);
    expect([warned, reports]).toEqual([[], []]);
  });

  it('loads none twice, and ends those that are no longer named', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => write(`${name}.mjs`, noting(name))) as [string, string, string];
    const all = plugins();
    await all.load([a, b, a]);
    expect(decide('x')).toEqual(['a x', 'b x']);
    await all.load([b, c]);
    expect(seen).toEqual(['a x', 'b x', 'loaded c']);
    expect(decide('x')).toEqual(['b x', 'c x']);
    await all.load([b, c, a]);
    expect(decide('x')).toEqual(['b x', 'c x', 'a x']);
    await all.load([]);
    expect(decide('x')).toEqual([]);
  });

  it('lets a plug-in that is gone register nothing more', async () => {
    const file = write('keeps.mjs', `export default (api) => { globalThis.pluginApi = api; };`);
    const all = plugins();
    await all.load([file]);
    const { pluginApi: api } = globalThis as unknown as { pluginApi: PluginApi };
    const late = { onDecision: () => seen.push('late') };
    const stop = api.registerHooks(late);
    expect(decide('x')).toEqual(['late']);
    stop();
    expect(decide('x')).toEqual([]);
    api.registerHooks(late);
    await all.load([]);
    api.registerHooks(late);
    expect(decide('x')).toEqual([]);
  });

  it.each([
    ['syntax.mjs', 'export default {', /./],
    ['throws.mjs', `throw new Error('no licence');`, /no licence/],
    ['import.mjs', `import 'nosuch-package';`, /nosuch-package/],
    ['nothing.mjs', `export const hooks = {};`, /default export must be hooks/],
    ['number.mjs', `export default 3;`, /default export must be hooks/],
    ['returns.mjs', `export default () => 'yes';`, /default export must be hooks/],
    ['function.mjs', `export default () => { throw new Error('not today'); };`, /not today/],
    ['rejects.mjs', `export default async () => { throw new Error('not now'); };`, /not now/],
    ['handler.mjs', `export default { before: true };`, /'before' is no function/],
    ['odd.mjs', `throw Object.create(null);`, /can't be shown/],
  ])('warns of %s by its name and why, and loads the others', async (name, text, why) => {
    const bad = write(name, text);
    const good = write('good.mjs', noting('good'));
    const warnings = await plugins().load([bad, good]);
    expect(warnings).toEqual([expect.stringMatching(why)]);
    expect(warnings[0]).toContain(`plug-in ${bad} is not loaded: `);
    expect(decide('x')).toEqual(['good x']);
  });

  it('warns of a file that is not there, and of one without hooks', async () => {
    const missing = join(dir, 'nosuch.mjs');
    const empty = write('empty.mjs', 'export default { onPresure() {} };');
    const warnings = await plugins().load([missing, empty]);
    expect(warnings[0]).toMatch(/nosuch\.mjs is not loaded: /);
    expect(warnings[1]).toMatch(/empty\.mjs has none of the hooks before, after, onPressure, onDecision/);
  });

  it('takes back what a plug-in registered before it failed', async () => {
    const file = write(
      'half.mjs',
      `export default ({ registerHooks }) => {
        registerHooks({ onDecision: () => pluginSeen.push('half') });
        throw new Error('second half');
      };`,
    );
    expect(await plugins().load([file])).toHaveLength(1);
    expect(decide('x')).toEqual([]);
  });

  it('tries one that failed again, as it is then', async () => {
    // In a plain Node, whose own loader would repeat a failure for ever.
    const script = `
      import { writeFileSync } from 'node:fs';
      import { Plugins } from '${DIST}/src/master/plugins.js';
      import { Hooks } from '${DIST}/src/monitor/hooks.js';
      import { Strategies } from '${DIST}/src/models/strategies.js';
      const hooks = new Hooks(console.error);
      const plugins = new Plugins(hooks, new Strategies(console.error), console.error);
      const file = '${join(dir, 'fixed.mjs')}';
      for (const text of ['export default {', "throw new Error('not yet')", 'export default { before: () => console.log("fixed") }']) {
        writeFileSync(file, text);
        console.log((await plugins.load([file])).join());
      }
      hooks.before('x');`;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect([stdout.split('\n'), stderr]).toEqual([
      [
        expect.stringMatching(/fixed\.mjs is not loaded: Unexpected end of input$/),
        expect.stringMatching(/fixed\.mjs is not loaded: not yet$/),
        '',
        'fixed',
        '',
      ],
      '',
    ]);
  });

  it('waits for none that never gets ready', async () => {
    const clock = new ManualClock();
    const forever = write('forever.mjs', `pluginSeen.push('waiting'); await new Promise(() => {}); export default {};`);
    const good = write('good.mjs', noting('good'));
    const loading = plugins({ clock, loadTimeoutMs: 5000 }).load([forever, good]);
    await expect.poll(() => seen).toEqual(['waiting']);
    clock.advance(5000);
    expect(await loading).toEqual([`plug-in ${forever} is not loaded: it did not get ready within 5 s`]);
    expect(decide('x')).toEqual(['good x']);
  });

  it('does one load after the other', async () => {
    const slow = write('slow.mjs', `await new Promise((resolve) => setTimeout(resolve, 50)); ${noting('slow')}`);
    const quick = write('quick.mjs', noting('quick'));
    const all = plugins();
    await Promise.all([all.load([slow]), all.load([quick])]);
    expect(decide('x')).toEqual(['quick x']);
  });

  it('names the file of a hook that fails, and calls methods on their object', async () => {
    const bad = write('bad.mjs', `export default { before() { throw new Error('oh'); } };`);
    const object = write(
      'object.mjs',
      `export default new (class { count = 0; onDecision() { pluginSeen.push(++this.count); } })();`,
    );
    await plugins().load([bad, object]);
    hooks.before('reload web');
    expect(reports).toEqual([`hook '${bad}' failed in before: oh`]);
    decide('x');
    expect(decide('x')).toEqual([2]);
  });

  it('may register strategies of unloading, which end with it', async () => {
    const file = write(
      'greedy.mjs',
      `export default ({ registerStrategy }) => {
        registerStrategy('greedy', () => ({ unload: true, score: 1, reason: 'why not' }));
      };`,
    );
    const loaded = plugins();
    expect(await loaded.load([file])).toEqual([]);
    expect(strategies.names).toContain('greedy');
    expect(strategies.ask('greedy', () => ({}) as never)).toEqual({ unload: true, score: 1, reason: 'why not' });
    await loaded.load([]);
    expect(strategies.names).not.toContain('greedy');
  });

  it('may not take the name of one that is built in', async () => {
    const file = write(
      'bold.mjs',
      "export default ({ registerStrategy }) => registerStrategy('Balanced', () => true);",
    );
    expect(await plugins().load([file])).toEqual([expect.stringContaining("'Balanced' is built in")]);
  });
});
