import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

const ON_DEMAND = 'workers: { min: 0, max: 1 }';

function holds(mib: number, more = ''): string {
  return `{ module: $FIXTURES/models/holds.mjs, options: { mib: ${mib} }, ${ON_DEMAND}${more} }`;
}

/** All of one box write into the same journal. */
function journal(loadMs: number, requires: string, workers = ON_DEMAND): string {
  return `{ module: $FIXTURES/models/journal.mjs, isolation: thread, options: { journal: loads.txt, loadMs: ${loadMs} }, ${workers}, unload: { requires: [${requires}] } }`;
}

function loadsOf(box: Box): string[] {
  const lines = readFileSync(path.join(box.dir, 'loads.txt'), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('load ')).map((line) => line.slice(5));
}

async function unloadsOf(box: Box): Promise<string[]> {
  // Whoever makes others go says so, too, and names them.
  const unloads = await box.decisions(({ action, numbers }) => action === 'unload' && numbers.victims === undefined);
  return unloads.map(({ subject }) => subject);
}

describe('a load that would push out what was loaded just now', () => {
  it('is refused with 503 until that is old enough', async () => {
    const box = await Box.open(`models: { max_loaded: 1 }
unloading: { min_residency: 6s }
apps:
  a: ${holds(1)}
  b: ${holds(1)}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    expect((await models.ask('a', 'x')).status).toBe(200);
    const refused = await models.ask('b', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([503, 'SUP_CHURN']);
    expect(refused.text).toMatch(/a@v1, which would have to go, was loaded only \d s ago/);
    const retryAfter = Number(refused.headers['retry-after']);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect(retryAfter).toBeLessThanOrEqual(6);
    const byHand = await box.api('POST', '/autoscaler/load', { model_name: 'b' });
    expect([byHand.status, codeOf(byHand)]).toEqual([503, 'SUP_CHURN']);
    const byCommand = await box.cli('load', 'b');
    expect([byCommand.code, byCommand.stderr + byCommand.stdout]).toEqual([
      1,
      expect.stringContaining('lower unloading.min_residency'),
    ]);
    expect((await models.status('a')).state).toBe('ready');
    expect(await unloadsOf(box)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, retryAfter * 1000));
    expect((await models.ask('b', 'x')).status).toBe(200);
    expect(await unloadsOf(box)).toEqual(['a@v1']);
  });
});

describe('a box whose models are all pinned', () => {
  it('answers a further load with 507 at once, names the pins, and unloads nothing', async () => {
    const box = await Box.open(`limits: { memory: 750MiB }
pressure: { medium: 70%, high: 80%, critical: 90%, cleanup: 95%, recycle: 97%, emergency: 99% }
unloading: { min_residency: 0s }
apps:
  kept: ${holds(200, ', unload: { preference: keep }')}
  always: { module: $FIXTURES/models/holds.mjs, options: { mib: 200 }, workers: 1 }
  m: ${holds(250)}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    // What it takes has to be known.
    await models.act('stop', 'always');
    expect((await models.ask('m', 'x')).status).toBe(200);
    await until(async () => !(await models.status('m')).memory_pending, 'm to be measured');
    await models.act('unload', 'm');
    await models.act('start', 'always');
    expect((await models.ask('kept', 'x')).status).toBe(200);
    await until(async () => (await models.all()).every((model) => !model.memory_pending), 'all to be measured');
    const before = await unloadsOf(box);
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const at = performance.now();
      const refused = await models.ask('m', 'x');
      times.push(performance.now() - at);
      expect([refused.status, codeOf(refused)]).toEqual([507, 'SUP_NO_ROOM']);
      expect((refused.json as { error: { pinned: string[] } }).error.pinned.sort()).toEqual(['always@v1', 'kept@v1']);
      expect(refused.text).toContain('supervisor unpin kept@v1');
    }
    // The fastest of them: others keep the machine busy.
    expect(Math.min(...times)).toBeLessThan(100);
    expect(await unloadsOf(box)).toEqual(before);
    expect((await models.all()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'kept ready',
      'always ready',
      'm unloaded',
    ]);
  });

  it('does so for max_loaded too', async () => {
    const box = await Box.open(`models: { max_loaded: 1 }
unloading: { min_residency: 0s }
apps:
  kept: ${holds(1, ', unload: { preference: keep }')}
  m: ${holds(1)}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    expect((await models.ask('kept', 'x')).status).toBe(200);
    const refused = await models.ask('m', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([507, 'SUP_NO_ROOM']);
    expect(refused.text).toContain('models.max_loaded allows 1');
    expect(await unloadsOf(box)).toEqual([]);
  });
});

it('a chain that can never fit as a whole is refused at once, and nobody goes for a part of it', async () => {
  const box = await Box.open(`models: { max_loaded: 2 }
unloading: { min_residency: 0s }
apps:
  top: ${holds(1, ', unload: { requires: [mid] }')}
  mid: ${holds(1, ', unload: { requires: [base] }')}
  base: ${holds(1)}
  other: ${holds(1)}
`);
  const models = new Models(box);
  await box.ok('start', 'supervisor.yaml');
  expect((await models.ask('other', 'x')).status).toBe(200);
  const refused = await models.ask('top', 'x');
  expect([refused.status, codeOf(refused)]).toEqual([507, 'SUP_NO_ROOM']);
  expect((await models.all()).map(({ name, state }) => `${name} ${state}`)).toEqual([
    'top unloaded',
    'mid unloaded',
    'base unloaded',
    'other ready',
  ]);
  expect(await unloadsOf(box)).toEqual([]);
  expect((await models.ask('mid', 'x')).status).toBe(200);
});

describe('what a model requires', () => {
  const CHAIN = `models: { concurrent_loads: 1 }
apps:
  ranker: ${journal(100, 'encoder')}
  encoder: ${journal(400, 'tokenizer@v1')}
  tokenizer: ${journal(400, '')}
`;

  it('is loaded before it and once, and goes after it', async () => {
    const box = await Box.open(CHAIN);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    const asked = Promise.all(Array.from({ length: 50 }, (_, i) => models.ask('ranker', i)));
    const reasons = new Set<string | null>();
    await until(async () => {
      reasons.add((await box.row('ranker')).reason);
      return (await models.status('ranker')).state === 'ready';
    }, 'the ranker to load');
    expect([...new Set((await asked).map(({ status }) => status))]).toEqual([200]);
    expect(reasons).toContain('waiting for its requirement encoder');
    expect(loadsOf(box)).toEqual(['tokenizer@v1/1', 'encoder@v1/1', 'ranker@v1/1']);

    const refused = await models.tryTo('unload', 'tokenizer');
    expect([refused.status, codeOf(refused)]).toEqual([409, 'SUP_CONFLICT']);
    expect(refused.text).toContain('tokenizer@v1 is needed by ranker, encoder: unload ranker, encoder first');
    const scaled = await models.tryTo('scale', 'tokenizer', { size: '0' });
    expect([scaled.status, codeOf(scaled)]).toEqual([409, 'SUP_CONFLICT']);
    expect(await models.status('tokenizer')).toMatchObject({ state: 'ready', instances: { target: 1 } });
    await box.ok('unload', 'all');
    expect(await unloadsOf(box)).toEqual(['ranker@v1', 'encoder@v1', 'tokenizer@v1']);
    expect((await models.ask('ranker', 'x')).status).toBe(200);
    expect(loadsOf(box).length).toBe(6);
    // One after the other is an order, too.
    for (const name of ['ranker', 'encoder', 'tokenizer']) await models.act('unload', name);
    const { stderr } = await box.cli('delete', 'tokenizer');
    expect(stderr).toContain('encoder requires tokenizer@v1, and is served without it from now on');
  });

  it('is started before it, wherever it stands in the file', async () => {
    const box = await Box.open(`apps:
  ranker: ${journal(0, 'encoder', 'workers: 1')}
  encoder: ${journal(300, 'tokenizer')}
  tokenizer: ${journal(300, '', 'workers: 2')}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    expect((await models.all()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'ranker ready',
      'encoder ready',
      'tokenizer ready',
    ]);
    expect(loadsOf(box)[0]).toMatch(/^tokenizer/);
    expect(loadsOf(box).slice(2)).toEqual(['encoder@v1/1', 'ranker@v1/1']);
  });

  it('may start late or be stopped: whoever needs it and is always loaded comes up after it', async () => {
    const box = await Box.open(`apps:
  ranker: ${journal(0, 'tokenizer', 'workers: 1')}
  tokenizer: ${journal(0, '', 'workers: 1, depends_on: { slow: ready }')}
  slow: ${journal(800, '', 'workers: 1')}
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    expect(loadsOf(box)).toEqual(['slow@v1/1', 'tokenizer@v1/1', 'ranker@v1/1']);
    await models.act('stop', 'tokenizer');
    // What is loaded goes on; what is to load again cannot.
    expect((await models.ask('ranker', 'x')).status).toBe(200);
    expect((await models.tryTo('restart', 'ranker')).text).toContain('start it with: supervisor start tokenizer');
    const refused = await models.ask('ranker', 'x');
    expect([refused.status, codeOf(refused)]).toEqual([503, 'SUP_LOAD_FAILED']);
    expect(await models.status('ranker')).toMatchObject({
      state: 'loading',
      reason: 'it waits for its requirement tokenizer',
    });
    await models.act('start', 'tokenizer');
    await until(async () => (await models.status('ranker')).state === 'ready', 'the ranker to come up by itself');
  });

  it('is the reason where it does not load, and is not tried again at once', async () => {
    const box = await Box.open(`models: { failure_cooldown: 60s }
apps:
  ranker: ${journal(0, 'broken')}
  broken: { module: $FIXTURES/models/load-throws.mjs, ${ON_DEMAND} }
`);
    const models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
    for (let i = 0; i < 3; i++) {
      const failed = await models.ask('ranker', 'x');
      expect([failed.status, codeOf(failed)]).toEqual([503, 'SUP_LOAD_FAILED']);
      expect(failed.text).toContain('ranker@v1 could not be loaded, since it requires broken: ');
      expect(Number(failed.headers['retry-after'])).toBeGreaterThan(30);
    }
    expect((await models.status('broken')).loads.failures).toBe(1);
    expect((await models.status('ranker')).loads).toMatchObject({ loads: 0, failures: 0 });
    const byHand = await models.tryTo('load', 'ranker');
    expect(byHand.text).toContain('since it requires broken');
    expect((await models.status('broken')).loads.failures).toBe(2);
  });
});
