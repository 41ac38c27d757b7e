import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, until } from '../support/box.js';
import { Models, outputsOf } from '../support/models.js';

const MIB = 1024 ** 2;

/** A plug-in. */
const STRATEGIES = `export default ({ registerStrategy }) => {
  registerStrategy('never', () => ({ unload: false }));
  registerStrategy('odd', () => ({ unload: 'perhaps' }));
  registerStrategy('soon', ({ model, idleSeconds }) => ({
    unload: idleSeconds >= 1, reason: \`it is \${model}, idle for \${Math.floor(idleSeconds)} s\`,
  }));
};`;

interface Metrics {
  total_unloads: number;
  failed_unloads: number;
  successful_unloads: number;
  total_memory_freed: number;
  unload_reasons: Record<string, number>;
}

async function open(unloading: string, apps: string, head = ''): Promise<{ box: Box; models: Models }> {
  const box = await Box.open(`${head}unloading: { ${unloading} }\napps:\n${apps}\n`);
  if (head.includes('plugins:')) writeFileSync(path.join(box.dir, 'strategies.mjs'), STRATEGIES);
  await box.ok('start', 'supervisor.yaml');
  return { box, models: new Models(box) };
}

const model = (name: string, more = '', fixture = 'caches') =>
  `  ${name}: { module: $FIXTURES/models/${fixture}.mjs, workers: { min: 0, max: 1 }${more} }`;

async function metrics(box: Box): Promise<Metrics> {
  return (await box.api('GET', '/api/package-unloading/metrics')).json as Metrics;
}

/** Names and times (ms) of unloadings that somebody decided, oldest first. */
async function unloads(box: Box): Promise<{ name: string; at: number; reason: string }[]> {
  const decisions = await box.decisions(({ policy, action }) => policy === 'unload' && action === 'unload');
  return decisions.map(({ subject, time, reason }) => ({ name: subject, at: Date.parse(time), reason }));
}

async function used(box: Box): Promise<number> {
  return ((await box.api('GET', '/api/memory/')).json as { used_share: number | null }).used_share ?? 0;
}

describe('idle models', () => {
  it('go by the strategy, so many in a cycle; what that freed is measured, and counted by its reason', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const { box, models } = await open(
      'balanced: 1s, check_interval: 3s, max_per_cycle: 2, min_residency: 0s',
      names.map((name) => model(name)).join('\n'),
    );
    await Promise.all(names.map((name) => models.ask(name, 'keep 5')));
    const { unload_reasons, total_memory_freed } = await until(async () => {
      const now = await metrics(box);
      return now.total_unloads === 5 ? now : null;
    }, 'all of them to be unloaded');
    expect(unload_reasons).toEqual({ 'Usage pattern unloading (balanced)': 5 });
    expect(total_memory_freed).toBeGreaterThan(5 * 5 * MIB);
    const times = (await unloads(box)).map(({ at }) => at);
    for (const [i, at] of times.entries()) if (i >= 2) expect(at - (times[i - 2] as number)).toBeGreaterThan(2000);
    expect(outputsOf(await models.ask('a', 'look'))).toEqual({ cached: 0, kept: 0 });
  });

  it('stay for min_residency, and as long as they are pinned or needed; what users want to go goes first', async () => {
    const { box, models } = await open(
      'balanced: 1s, check_interval: 500ms, min_residency: 4s, pressure_timeout: 1s',
      [
        model('pinned', ', unload: { preference: keep }'),
        model('base'),
        model('user', ', unload: { requires: [base] }'),
        model('unloved', ', unload: { preference: evict, strategy: conservative }'),
      ].join('\n'),
    );
    await Promise.all(['pinned', 'base', 'user', 'unloved'].map((name) => models.ask(name, 'look')));
    await until(async () => (await unloads(box)).length >= 3, 'three of them to be unloaded');
    const gone = await unloads(box);
    expect(gone.map(({ name }) => name).sort()).toEqual(['base@v1', 'unloved@v1', 'user@v1']);
    const at = (name: string) => gone.find((each) => each.name === `${name}@v1`)!.at;
    expect(at('base')).toBeGreaterThan(at('user'));
    expect(gone.find(({ name }) => name === 'unloved@v1')?.reason).toContain('preference is evict');
    expect((await box.row('pinned')).ready).toBe(1);
    const loads = await box.decisions(({ policy, action }) => policy === 'load' && action === 'load');
    for (const { name, at: goneAt } of gone) {
      const load = loads.find(({ subject }) => subject === name)!;
      expect(goneAt - Date.parse(load.time)).toBeGreaterThanOrEqual(4000);
    }
  });

  it('that had to be loaded again soon are kept for longer', async () => {
    const { box, models } = await open('balanced: 1s, check_interval: 100ms, min_residency: 0s', model('a'));
    await models.ask('a', 'look');
    expect((await models.status('a')).keepalive?.keep_seconds).toBe(1);
    await until(async () => (await box.row('a')).state === 'idle', 'it to be unloaded');
    await models.ask('a', 'look');
    expect((await models.status('a')).keepalive?.keep_seconds).toBe(2);
    await until(async () => (await box.row('a')).state === 'idle', 'it to be unloaded again');
    await models.ask('a', 'look');
    expect((await models.status('a')).keepalive?.keep_seconds).toBe(4);
  });

  it('go by a strategy of a plug-in; one that answers nonsense is followed by balanced, with a warning', async () => {
    const { box, models } = await open(
      'balanced: 2s, check_interval: 100ms, min_residency: 0s, strategy: never',
      [model('a'), model('b', ', unload: { strategy: odd }'), model('c', ', unload: { strategy: soon }')].join('\n'),
      'plugins: [strategies.mjs]\n',
    );
    await Promise.all(['a', 'b', 'c'].map((name) => models.ask(name, 'look')));
    await until(async () => (await unloads(box)).length === 2, 'two of them to be unloaded');
    const gone = await unloads(box);
    expect(gone.map(({ name }) => name)).toEqual(['c@v1', 'b@v1']);
    expect(gone[0]?.reason).toBe('by its strategy soon: it is c, idle for 1 s');
    expect((await box.row('a')).ready).toBe(1);
  });

  it('whose unload throws are counted as failed, with the reason', async () => {
    const { box, models } = await open('', model('stubborn', '', 'unload-throws'));
    await models.ask('stubborn', 'x');
    const { json } = await box.api('POST', '/api/package-unloading/packages/stubborn/unload');
    expect((json as { warnings: string[] }).warnings).toEqual([expect.stringContaining('it will not let go')]);
    await until(async () => (await metrics(box)).failed_unloads === 1, 'it to be counted');
    expect(await metrics(box)).toMatchObject({
      total_unloads: 1,
      successful_unloads: 0,
      unload_reasons: { 'Manual unloading': 1 },
    });
    const freed = await until(
      async () => (await box.decisions(({ subject, action }) => subject === 'stubborn@v1' && action === 'freed'))[0],
      'the sample after it',
    );
    expect(freed.reason).toContain('it will not let go');
    expect((await models.ask('stubborn', 'again')).status).toBe(200);
  });
});

describe('under memory pressure', () => {
  const LIMIT = 'limits: { memory: 800MiB }\npressure: { cleanup: 96%, recycle: 97%, emergency: 99% }\n';

  it('that is high, an idle model is trimmed first; what that does not bring, its unloading does', async () => {
    const { box, models } = await open(
      'pressure_timeout: 1s, min_residency: 0s',
      [model('trims'), model('holds'), '  busy: { module: $FIXTURES/models/caches.mjs }'].join('\n'),
      LIMIT,
    );
    await models.ask('trims', 'cache 150');
    await models.ask('holds', 'keep 150');
    await models.ask('busy', 'keep 150');
    await until(async () => (await used(box)) > 0.6, 'the memory to be seen');
    await models.ask('busy', `keep ${Math.ceil((0.76 - (await used(box))) * 800)}`);
    await until(async () => (await used(box)) > 0.7, 'pressure to be high');
    const trimmed = await until(
      async () => (await box.decisions(({ policy, action }) => policy === 'unload' && action === 'trim'))[0],
      'a trim',
    );
    const freed = await until(
      async () => (await box.decisions(({ subject, action }) => subject === trimmed.subject && action === 'freed'))[0],
      'what it brought',
    );
    expect(freed.reason).toBe('what its trim brought');
    await until(async () => (await used(box)) < 0.7, 'pressure to end');
    const { unload_reasons } = await metrics(box);
    for (const reason of Object.keys(unload_reasons)) expect(reason).toBe('Memory pressure unloading (high)');
    expect((await box.row('busy')).ready).toBe(1);
  });

  it('that is critical, idle models go at once, one after the other, until it is over; a pinned one stays', async () => {
    const { box, models } = await open(
      'min_residency: 0s, check_interval: 60s',
      [
        model('pinned', ', unload: { preference: keep }'),
        model('one'),
        model('two'),
        model('three'),
        '  busy: { module: $FIXTURES/models/caches.mjs }',
      ].join('\n'),
      LIMIT,
    );
    await models.ask('pinned', 'keep 60');
    for (const name of ['one', 'two', 'three']) await models.ask(name, 'keep 80');
    await until(async () => (await used(box)) > 0.45, 'the memory to be seen');
    await models.ask('busy', `keep ${Math.ceil((0.92 - (await used(box))) * 800)}`);
    await until(async () => (await metrics(box)).total_unloads >= 1, 'one to be unloaded');
    await until(async () => (await used(box)) < 0.85, 'pressure to fall');
    const { unload_reasons, total_unloads } = await metrics(box);
    expect(Object.keys(unload_reasons)).toEqual(['Memory pressure unloading (critical)']);
    // One was enough: what it brought was measured before another one went.
    expect(total_unloads).toBeLessThanOrEqual(2);
    expect((await box.row('pinned')).ready).toBe(1);
  });
});
