import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/master/supervisor.js';
import { Box, request, until } from '../support/box.js';
import { expectAllAnswered, Ledger } from '../support/ledger.js';
import { codeOf, Models } from '../support/models.js';

const STRATEGIES = [
  'least_connections',
  'round_robin',
  'least_response_time',
  'weighted_round_robin',
  'consistent_hash',
] as const;

describe('models', () => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    const app = (name: string, module: string, health: string, more: string) =>
      `  ${name}: { module: $FIXTURES/models/${module}.mjs, health: { interval: 1s, wedge: 3s, ${health} }, ${more} }`;
    const balanced = STRATEGIES.map((strategy) =>
      app(
        strategy.replaceAll('_', '-'),
        'turns',
        'failures: 3',
        `workers: 2, isolation: thread, routing: { strategy: ${strategy}, key: input }`,
      ),
    );
    box = await Box.shared(`apps:
${app('sick-process', 'sickens', 'cooldown: 20s', 'workers: 3')}
${app('sick-thread', 'sickens', 'cooldown: 20s', 'workers: 3, isolation: thread')}
${app('all-sick', 'sickens', 'failures: 3', 'workers: 2')}
${app('single', 'unwell', 'failures: 2', 'workers: 1')}
${app('four', 'unwell', 'max_ejected: 25%', 'workers: 4')}
${app('hangs', 'unwell', 'check_timeout: 300ms', 'workers: 2')}
${app('stuck', 'swallows', 'failures: 3', 'workers: 1, stop: { grace: 1s }, options: { loadMs: 1500 }')}
${app('late', 'swallows', 'failures: 3', 'workers: 1, restart: { backoff: 50ms }')}
${balanced.join('\n')}
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  /** Of the health policy, about one app, as `worker number: action`. */
  async function story(app: string): Promise<string[]> {
    return (await decisions(app)).map(({ subject, action }) => `${subject.split('/').at(-1)}: ${action}`);
  }

  async function decisions(app: string): Promise<Decision[]> {
    const { json } = await box.api('GET', `/api/decisions?subject=${app}&policy=health`);
    return (json as { decisions: Decision[] }).decisions.filter((d) => d.action !== 'hold');
  }

  const workerOf = (answer: { json: unknown }) => (answer.json as { worker: string }).worker;
  const states = async (app: string) => (await box.row(app)).workers.map((w) => w.state).sort();

  it.concurrent.each(['process', 'thread'])('a worker in a %s that fails is out, and comes back', async (isolation) => {
    const app = `sick-${isolation}`;
    const sick = workerOf(await models.ask(app, 'break 4000'));
    const answers: { status: number; worker: string | null }[] = [];
    await until(async () => {
      const answer = await models.ask(app, 'x');
      answers.push({ status: answer.status, worker: answer.status === 200 ? workerOf(answer) : null });
      return (await box.row(app)).ready === 2;
    }, 'the sick worker to be out');
    // Three of its own, and nobody else's.
    expect(answers.filter(({ status }) => status === 500)).toHaveLength(3);
    expect(await box.row(app)).toMatchObject({ state: 'degraded', restarts: 0 });
    for (let i = 0; i < 20; i++) {
      const answer = await models.ask(app, 'x');
      expect([answer.status, workerOf(answer) === sick]).toEqual([200, false]);
    }
    await until(async () => {
      // Its first prediction after that is what it is trusted for.
      await models.ask(app, 'x');
      return (await decisions(app)).at(-1)?.action === 'recovered';
    }, 'it to come back');
    const told = await decisions(app);
    expect(new Set(told.map((d) => d.subject))).toEqual(new Set([sick]));
    expect(told[0]).toMatchObject({
      action: 'eject',
      reason: 'its predictions fail while those of others succeed',
      numbers: { failed_batches: 3, out: 0, most_out: 1, workers: 3, cooldown_ms: 2000 },
    });
    expect(told.slice(-2).map((d) => d.action)).toEqual(['return', 'recovered']);
    expect(await box.row(app)).toMatchObject({ ready: 3, state: 'online', restarts: 0, recycles: 0 });
  });

  it.concurrent('stay in where all of them fail alike', async () => {
    const broken = new Set<string>();
    while (broken.size < 2) {
      const answer = await models.ask('all-sick', 'break 600000');
      if (answer.status === 200) broken.add(workerOf(answer));
    }
    for (let i = 0; i < 20; i++) expect((await models.ask('all-sick', 'x')).status).toBe(500);
    expect(await box.row('all-sick')).toMatchObject({ ready: 2 });
    expect(await story('all-sick')).toEqual([]);
  });

  it.concurrent('the only worker is replaced when its own health says no, and answers until then', async () => {
    await models.ask('single', 'fall ill');
    await until(async () => (await box.row('single')).recycles === 1, 'it to be replaced');
    expect((await models.ask('single', 'x')).status).toBe(200);
    await until(async () => (await box.row('single')).workers.length === 1, 'the old one to end');
    expect(await story('single')).toEqual(['1: replace']);
    expect(await box.row('single')).toMatchObject({ ready: 1, restarts: 0, workers: [{ id: 'single@v1/2' }] });
  });

  it.concurrent('no more than max_ejected are out; who may not be is replaced', async () => {
    // Both at once, so that they are two workers.
    const pair = await Promise.all([models.ask('four', 'sleep 300'), models.ask('four', 'sleep 300')]);
    expect(new Set(pair.map(workerOf)).size).toBe(2);
    const fall = await Promise.all(['fall ill', 'fall apart'].map((input) => models.ask('four', input)));
    const ill = fall.map((answer) => workerOf(answer).split('/').at(-1));
    expect(new Set(ill).size).toBe(2);
    const seen = new Set<string>();
    await until(async () => {
      const now = await states('four');
      seen.add(now.filter((state) => state === 'unhealthy').join());
      return (await box.row('four')).recycles === 1 && now.length === 4;
    }, 'one to be replaced');
    const told = await story('four');
    expect(told).toHaveLength(2);
    expect(told.map((line) => line.split(': ')[1]).sort()).toEqual(['eject', 'replace']);
    expect(told.map((line) => line.split(': ')[0]).sort()).toEqual(ill.sort());
    expect(seen).toEqual(new Set(['', 'unhealthy']));
  });

  it.concurrent('a check without an answer in time has failed', async () => {
    const sick = workerOf(await models.ask('hangs', 'fall asleep'));
    await until(async () => (await box.row('hangs')).ready === 1, 'it to be out');
    const [first] = await decisions('hangs');
    expect(first).toMatchObject({ subject: sick, action: 'eject' });
    expect(first?.reason).toBe('its health checks fail: no answer within 0.3 s');
  });

  it.concurrent('a queue that stands still is seen, though every check is green, and moves again', async () => {
    for (let i = 0; i < 25; i++) await models.ask('stuck', 'x');
    const swallowed = models.ask('stuck', 'swallow', { timeout: 12 });
    await until(async () => (await models.inFlight('stuck')) === 1, 'it to be swallowed');
    const waiting = ['a', 'b', 'c'].map((input) => models.ask('stuck', input, { timeout: 25 }));
    await until(async () => {
      const { status, json } = await request(box.inference, 'GET', '/health');
      const { status: word, apps } = json as { status: string; apps: { name: string; stalled: string | null }[] };
      const stalled = apps.find(({ name }) => name === 'stuck')?.stalled ?? '';
      return status === 503 && word === 'degraded' && /^its queue stands still: 3 waiting/.test(stalled);
    }, 'GET /health to say so');
    const answers = await Promise.all(waiting);
    expect(answers.map(({ status, json }) => [status, (json as { outputs: string }).outputs])).toEqual([
      [200, 'A'],
      [200, 'B'],
      [200, 'C'],
    ]);
    const [first] = await decisions('stuck');
    expect(first).toMatchObject({
      subject: 'stuck@v1/1',
      action: 'replace',
      reason: 'work waits, and it does not give back what it has',
      numbers: { queued: 3 },
    });
    const last = await swallowed;
    expect([last.status, codeOf(last)]).toEqual([504, 'SUP_DEADLINE']);
  });

  it.concurrent('a prediction that does not come back after its deadline is a wedge', async () => {
    const answer = await models.ask('late', 'swallow', { timeout: 0.5 });
    expect([answer.status, codeOf(answer)]).toEqual([504, 'SUP_DEADLINE']);
    await until(async () => (await box.row('late')).restarts === 1, 'the worker to be killed');
    await until(async () => (await box.row('late')).ready === 1, 'a fresh one');
    expect(await story('late')).toEqual(['1: kill']);
    expect((await models.ask('late', 'next')).status).toBe(200);
  });

  it('lose nothing and answer nothing twice while workers are recycled, however they are chosen', async () => {
    const apps = STRATEGIES.map((strategy) => strategy.replaceAll('_', '-'));
    const loads = apps.map((name) => ({
      name,
      clients: 4,
      method: 'POST' as const,
      path: `/predict/${name}`,
      body: JSON.stringify({ inputs: '$ID' }),
      keepAlive: true,
      maxPauseMs: 20,
    }));
    const ledger = await Ledger.start(box.inference, loads);
    await ledger.more(200);
    for (const app of apps) await box.ok('recycle', `${app}@v1/1`);
    await ledger.more(200);
    const book = await ledger.stop();
    expectAllAnswered(book);
    for (const app of apps) expect(Object.keys(book.pages[app]!.answeredBy).length).toBeGreaterThan(1);
  });
});
