import { describe, expect, it } from 'vitest';
import type { AppDetail } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';
import { expectAllAnswered, Ledger } from '../support/ledger.js';

/** Growth waits while the CPU is busy, and here other tests may keep it busy. */
const HEAD = 'limits: { cpu: 64 }\napps:\n';
const SCALE = 'scale: { up_window: 2s, up_cooldown: 2s, down_window: 5s }';
const SIZES = 'workers: { min: 1, max: 3 }';

async function detail(box: Box, app: string): Promise<AppDetail> {
  const [row] = JSON.parse(await box.ok('describe', app, '--json')) as [AppDetail];
  return row;
}

async function growsAndShrinks(box: Box, app: string, ledger: Ledger): Promise<void> {
  await until(async () => (await box.row(app)).ready >= 2, `${app} to grow`, 40_000);
  const { sizing } = await detail(box, app);
  expect(sizing).toMatchObject({ min: 1, max: 3, pinned: null });
  expect(sizing?.target).toBeGreaterThanOrEqual(1);
  expectAllAnswered(await ledger.stop());
  await until(async () => (await box.row(app)).desired === 1, `${app} to shrink`, 60_000);
  await until(async () => (await box.row(app)).workers.length === 1, `the others to be gone`);
  expect(await box.row(app)).toMatchObject({ ready: 1, state: 'online', restarts: 0, recycles: 0 });
  const decisions = await box.decisions((d) => d.policy === 'scale' && d.action !== 'hold');
  expect(decisions.map((d) => d.action)).toEqual(expect.arrayContaining(['grow', 'shrink']));
  expect(decisions.every((d) => d.reason !== '' && Object.keys(d.numbers).length > 0)).toBe(true);
}

describe('the size of a pool', () => {
  it.each(['process', 'thread'])('follows the load of a model in a %s, and no request is lost', async (isolation) => {
    const box = await Box.open(
      `${HEAD}  slow: { module: $FIXTURES/models/waits.mjs, isolation: ${isolation}, batching: { max_size: 1 }, ${SIZES}, ${SCALE} }\n`,
    );
    await box.ok('start', 'supervisor.yaml');
    const load = { method: 'POST', path: '/predict/slow', body: JSON.stringify({ inputs: '$ID' }) } as const;
    const ledger = await Ledger.start(box.inference, [
      { ...load, name: 'kept', clients: 6, keepAlive: true, maxPauseMs: 50 },
    ]);
    await growsAndShrinks(box, 'slow', ledger);
  });

  it('follows the load of an http app, and no request is lost', async () => {
    const box = await Box.open(
      `${HEAD}  busy: { script: $FIXTURES/http/blocks-a-little.mjs, port: $WEB, ${SIZES}, ${SCALE} }\n`,
    );
    await box.ok('start', 'supervisor.yaml');
    const load = { method: 'GET', path: '/', name: 'kept', clients: 6, keepAlive: true, maxPauseMs: 20 } as const;
    await growsAndShrinks(box, 'busy', await Ledger.start(box.web, [load]));
  });

  it('is pinned by scale, and follows the load again after scale auto', async () => {
    const box = await Box.open(`${HEAD}  slow: { module: $FIXTURES/models/waits.mjs, ${SIZES}, ${SCALE} }\n`);
    await box.ok('start', 'supervisor.yaml');
    await box.ok('scale', 'slow', '3');
    expect((await detail(box, 'slow')).sizing).toMatchObject({ pinned: 3, target: null });
    expect(await box.row('slow')).toMatchObject({ ready: 3, desired: 3 });
    await box.ok('scale', 'slow', 'auto');
    expect((await detail(box, 'slow')).sizing).toMatchObject({ pinned: null });
    await until(async () => (await box.row('slow')).desired === 1, 'it to shrink', 60_000);
  });

  it('stays where it is over a reload', async () => {
    const box = await Box.open(
      `${HEAD}  slow: { module: $FIXTURES/models/waits.mjs, ${SIZES}, scale: { up_window: 2s, up_cooldown: 2s, down_window: 10m } }\n`,
    );
    await box.ok('start', 'supervisor.yaml');
    const load = { method: 'POST', path: '/predict/slow', body: JSON.stringify({ inputs: '$ID' }) } as const;
    const ledger = await Ledger.start(box.inference, [
      { ...load, name: 'kept', clients: 6, keepAlive: true, maxPauseMs: 50 },
    ]);
    const { desired } = await until(
      async () => {
        const row = await box.row('slow');
        return row.ready >= 2 && row.ready === row.desired ? row : null;
      },
      'it to grow',
      40_000,
    );
    await box.ok('reload', 'slow');
    expectAllAnswered(await ledger.stop());
    expect((await box.row('slow')).desired).toBeGreaterThanOrEqual(desired);
  });
});
