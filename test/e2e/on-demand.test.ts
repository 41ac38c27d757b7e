import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AppRow } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

const ON_DEMAND = 'workers: { min: 0, max: 1 }';

function slow(journal: string, loadMs: number, more = ''): string {
  return `{ module: $FIXTURES/models/journal.mjs, options: { journal: ${journal}.txt, loadMs: ${loadMs}${more} }, ${ON_DEMAND} }`;
}

/** Loads of a journal.mjs model. */
function loadsIn(box: Box, journal: string): number {
  try {
    return (readFileSync(path.join(box.dir, `${journal}.txt`), 'utf8').match(/^load /gm) ?? []).length;
  } catch {
    // Not loaded yet.
    return 0;
  }
}

describe('the first requests to a model that is not loaded', () => {
  it.each(['process', 'thread'])(
    'cause one load in a %s, which takes no time from their deadline',
    async (isolation) => {
      const box = await Box.open(`apps:
  m: { module: $FIXTURES/models/journal.mjs, isolation: ${isolation}, timeout: 500ms, options: { journal: m.txt, loadMs: 1500 }, ${ON_DEMAND} }
`);
      const models = new Models(box);
      await box.ok('start', 'supervisor.yaml');
      expect(await models.status('m')).toMatchObject({ state: 'unloaded', memory_bytes: null });
      const startedAt = performance.now();
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => models.ask('m', i)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(loadsIn(box, 'm')).toBe(1);
      const { loads } = await models.status('m');
      expect(loads).toMatchObject({ loads: 1, cold_starts: 100, hits: 0 });
      // Starting a process is part of the load; what the supervisor adds to it is little, also on a busy machine.
      expect(performance.now() - startedAt - 1000 * (loads.last_seconds as number)).toBeLessThan(1500);
      expect((await models.ask('m', 'warm')).status).toBe(200);
      expect((await models.status('m')).loads).toMatchObject({ loads: 1, hits: 1 });
    },
  );

  it('are answered with 503 when they have waited long enough, and the load goes on', async () => {
    const box = await Box.open(`models: { cold_start_timeout: 300ms }
apps:
  m: ${slow('m', 1500)}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const early = await models.ask('m', 'x');
    expect([early.status, codeOf(early)]).toEqual([503, 'SUP_NOT_READY']);
    expect(Number(early.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    await until(async () => (await models.status('m')).state === 'ready', 'the load to end');
    expect((await models.ask('m', 'x')).status).toBe(200);
    expect(loadsIn(box, 'm')).toBe(1);
  });
});

describe('a model that nobody asks', () => {
  it('is unloaded so long after the end of its last request, and loaded by the next', async () => {
    const box = await Box.open(`apps:
  m: { module: $FIXTURES/models/holds.mjs, options: { mib: 1 }, ${ON_DEMAND}, scale: { to_zero_after: 2s } }
  capped: { module: $FIXTURES/models/holds.mjs, options: { mib: 1 }, ${ON_DEMAND} }
models: { ttl: 2s }
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    await models.ask('capped', 'x');
    const cappedAt = performance.now();
    // Longer than it may be idle: a request that runs is no idleness.
    expect((await models.ask('m', 'sleep 3000')).status).toBe(200);
    const endedAt = performance.now();
    expect((await models.status('m')).state).toBe('ready');
    await until(async () => (await models.status('capped')).state === 'unloaded', 'ttl to end');
    expect(performance.now() - cappedAt).toBeGreaterThan(1900);
    await until(async () => (await models.status('m')).state !== 'ready', 'it to be unloaded');
    const idleMs = performance.now() - endedAt;
    expect(idleMs).toBeGreaterThan(1900);
    const [unload] = await box.decisions(({ subject, action }) => subject === 'm@v1' && action === 'unload');
    expect(Number(unload?.numbers.idle_ms)).toBeGreaterThanOrEqual(2000);
    expect(Number(unload?.numbers.idle_ms)).toBeLessThan(3000);
    await until(async () => (await models.pids('m')).length === 0, 'its process to end');
    expect((await models.ask('m', 'x')).status).toBe(200);
    expect((await models.status('m')).loads).toMatchObject({ loads: 2, unloads: 1 });
  });

  it('stays where unloading is off', async () => {
    const box = await Box.open(`unloading: { enabled: false }
apps:
  m: { module: $FIXTURES/models/holds.mjs, options: { mib: 1 }, ${ON_DEMAND}, scale: { to_zero_after: 100ms } }
  n: { module: $FIXTURES/models/holds.mjs, options: { mib: 1 }, ${ON_DEMAND}, scale: { to_zero_after: 100ms } }
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    await models.ask('m', 'x');
    // Five times as long as it may be idle, and several ticks.
    await models.ask('n', 'sleep 2000');
    expect(await models.status('m')).toMatchObject({ state: 'ready', keepalive: null });
  });
});

describe('many models', () => {
  it('load two at a time, at the start and on demand, and keep no warm one waiting', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const box = await Box.open(`models: { concurrent_loads: 2 }
apps:
  warm: { module: $FIXTURES/models/echo.mjs, workers: 1, isolation: thread }
${names.map((name) => `  ${name}: { module: $FIXTURES/models/journal.mjs, isolation: thread, workers: 1, options: { journal: ${name}.txt, loadMs: 600 } }`).join('\n')}
${names.map((name) => `  ${name}d: { module: $FIXTURES/models/journal.mjs, isolation: thread, ${ON_DEMAND}, options: { journal: ${name}d.txt, loadMs: 600 } }`).join('\n')}
`);
    const models = new Models(box);
    const watch = async (done: () => boolean) => {
      let most = 0;
      const reasons = new Set<string | null>();
      while (!done()) {
        const { json } = await box.api('GET', '/api/apps');
        const { apps } = (json ?? { apps: [] }) as { apps: AppRow[] };
        most = Math.max(
          most,
          apps.flatMap(({ workers }) => workers).filter(({ state }) => state === 'starting').length,
        );
        for (const { state, reason, workers } of apps)
          if (state === 'starting' && workers.length === 0) reasons.add(reason);
      }
      return { most, reasons: [...reasons] };
    };
    let started = false;
    const starting = box.ok('start', 'supervisor.yaml').then(() => {
      started = true;
    });
    await until(() => loadsIn(box, 'a') > 0, 'the first load');
    expect(await watch(() => started)).toEqual({ most: 2, reasons: ['waiting for its turn to load'] });
    await starting;

    let answered = false;
    const cold = Promise.all(names.map((name) => models.ask(`${name}d`, 'x'))).then((answers) => {
      answered = true;
      return answers;
    });
    await until(() => loadsIn(box, 'ad') > 0, 'the first load on demand');
    const watching = watch(() => answered);
    for (let i = 0; i < 5; i++) {
      const at = performance.now();
      expect((await models.ask('warm', 'x')).status).toBe(200);
      // Half a load, and far more than an answer takes.
      expect(performance.now() - at).toBeLessThan(300);
    }
    expect((await watching).most).toBe(2);
    expect((await cold).map(({ status }) => status)).toEqual(names.map(() => 200));
  });

  it('are never more than max_loaded: idle ones go, and busy ones are waited for', async () => {
    const names = ['a', 'b', 'c'];
    const box = await Box.open(`models: { max_loaded: 2 }
unloading: { min_residency: 0s }
apps:
${names.map((name) => `  ${name}: { module: $FIXTURES/models/holds.mjs, options: { mib: 1, unloadMs: 700 }, ${ON_DEMAND} }`).join('\n')}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    // Of one moment.
    const processes = async () => {
      const { apps } = (await box.api('GET', '/api/apps')).json as { apps: AppRow[] };
      return apps.flatMap(({ workers }) => workers).length;
    };
    const ask = (name: string, input = 'x') => models.ask(name, input).then(({ status }) => status);
    let most = 0;
    let done = false;
    const watching = (async () => {
      while (!done) most = Math.max(most, await processes());
    })();
    expect([await ask('a'), await ask('b'), await ask('c')]).toEqual([200, 200, 200]);
    const busy = [ask('b', 'sleep 1500'), ask('c', 'sleep 1500')];
    await until(
      async () => (await models.status('c')).in_flight === 1 && (await models.status('b')).in_flight === 1,
      'both',
    );
    const waiting = ask('a');
    await until(async () => (await box.row('a')).reason === 'waiting for a busy model to make room', 'a to wait');
    expect([...(await Promise.all(busy)), await waiting]).toEqual([200, 200, 200]);
    done = true;
    await watching;
    expect(most).toBe(2);
    expect((await models.status('a')).state).toBe('ready');
  });

  it('make room for one that needs memory, the idle ones alone, and only if that helps', async () => {
    const mib = (n: number, workers = ON_DEMAND) =>
      `{ module: $FIXTURES/models/holds.mjs, options: { mib: ${n} }, ${workers} }`;
    const box = await Box.open(`limits: { memory: 1000MiB }
pressure: { medium: 70%, high: 80%, critical: 90%, cleanup: 95%, recycle: 97%, emergency: 99% }
models: { cold_start_timeout: 20s }
unloading: { min_residency: 0s }
apps:
  a: ${mib(200)}
  b: ${mib(200)}
  c: ${mib(200)}
  big: ${mib(200)}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    // Each is loaded once, alone, so that it is known what it takes.
    for (const name of ['a', 'b', 'c', 'big']) {
      expect((await models.ask(name, 'x')).status).toBe(200);
      await until(async () => !(await models.status(name)).memory_pending, `${name} to be measured`);
      await models.act('unload', name);
      await until(async () => !(await models.status(name)).memory_pending, `the memory of ${name} to be back`);
    }
    const loaded = async () => (await models.all()).filter(({ state }) => state === 'ready').map(({ name }) => name);
    for (const name of ['a', 'b', 'c']) expect((await models.ask(name, 'x')).status).toBe(200);
    await until(async () => (await models.all()).every((model) => !model.memory_pending), 'all to be measured');
    expect(await loaded()).toEqual(['a', 'b', 'c']);
    // The one that would go first by its worth.
    const busy = models.ask('a', 'sleep 3000');
    await until(async () => (await models.status('a')).in_flight === 1, 'a to be busy');
    expect((await models.ask('big', 'x')).status).toBe(200);
    const after = await loaded();
    expect(after).toContain('a');
    expect(after).toContain('big');
    // None went in vain while memory was on its way back.
    expect(after.length).toBe(3);
    expect((await busy).status).toBe(200);
  });
});

describe('a model that there is no room for', () => {
  it('is refused with 507 where all that is loaded has to stay', async () => {
    const box = await Box.open(`limits: { memory: 700MiB }
pressure: { medium: 70%, high: 80%, critical: 90%, cleanup: 95%, recycle: 97%, emergency: 99% }
apps:
  pinned: { module: $FIXTURES/models/holds.mjs, options: { mib: 350 }, workers: 1 }
  m: { module: $FIXTURES/models/holds.mjs, options: { mib: 250 }, workers: { min: 0, max: 1 } }
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    await models.act('stop', 'pinned');
    expect((await models.ask('m', 'x')).status).toBe(200);
    await until(async () => !(await models.status('m')).memory_pending, 'm to be measured');
    await models.act('unload', 'm');
    await models.act('start', 'pinned');
    await until(async () => (await models.all()).every((model) => !model.memory_pending), 'all to be measured');
    const refused = await models.ask('m', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([507, 'SUP_NO_ROOM']);
    expect(refused.text).toContain('always loaded: pinned@v1');
    expect((await models.status('m')).state).toBe('unloaded');
    await models.act('stop', 'pinned');
    await until(async () => (await models.ask('m', 'x')).status === 200, 'room');
  });
});

describe('after a restart of the master', () => {
  const apps = ['liked', 'known', 'new'].map((name) => `  ${name}: ${slow(name, 0)}`).join('\n');

  it.each([
    ['hybrid', ['liked', 'known']],
    ['lazy', []],
    ['eager', ['liked', 'known', 'new']],
  ])('%s loads %j', async (strategy, expected) => {
    const box = await Box.open(
      `models: { cold_start: lazy, popularity_threshold: 10, predictive: { enabled: false } }\napps:\n${apps}\n`,
    );
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    for (let i = 0; i < 12; i++) expect((await models.ask('liked', i)).status).toBe(200);
    expect((await models.ask('known', 'x')).status).toBe(200);
    // What it takes has to be known before it may stand by.
    await until(async () => !(await models.status('known')).memory_pending, 'memory to be measured');
    await box.ok('kill');
    box.write(
      `models: { cold_start: ${strategy}, popularity_threshold: 10, predictive: { enabled: false } }\napps:\n${apps}\n`,
    );
    await box.ok('start', 'supervisor.yaml');
    const loaded = async () => (await models.all()).filter(({ state }) => state === 'ready').map(({ name }) => name);
    await until(async () => (await loaded()).length === expected.length, 'the start to be over');
    expect(await loaded()).toEqual(expected);
    if (strategy !== 'hybrid') return;
    // Who stands by goes first when there is too little room, whatever it is worth.
    box.write(
      `models: { cold_start: hybrid, popularity_threshold: 10, max_loaded: 2, predictive: { enabled: false } }\napps:\n${apps}\n`,
    );
    await box.ok('start', 'supervisor.yaml');
    expect((await models.ask('new', 'x')).status).toBe(200);
    expect(await loaded()).toEqual(['liked', 'new']);
  });
});
