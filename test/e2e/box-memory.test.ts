import { describe, expect, it } from 'vitest';
import type { CleanupReport, MemoryReport } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';
import { Models, outputsOf } from '../support/models.js';

const MIB = 1024 ** 2;
const LIMIT_MIB = 700;
/** A worker is not recycled before this age. */
const FLOOR_SECONDS = 10;

async function open(apps: string, head = ''): Promise<{ box: Box; models: Models }> {
  const box = await Box.open(`limits: { memory: ${LIMIT_MIB}MiB }\n${head}apps:\n${apps}\n`);
  await box.ok('start', 'supervisor.yaml');
  return { box, models: new Models(box) };
}

const model = (name: string, more = '') => `  ${name}: { module: $FIXTURES/models/caches.mjs${more} }`;

async function memory(box: Box): Promise<MemoryReport> {
  return (await box.api('GET', '/api/memory/')).json as MemoryReport;
}

/** Fills it until the box uses this share of its limit. */
async function fillTo(box: Box, models: Models, app: string, word: 'cache' | 'keep', share: number): Promise<void> {
  const { time } = await memory(box);
  // Two samples from now: what was filled before is in it.
  const { used_bytes } = await until(async () => {
    const report = await memory(box);
    const old = Date.parse(report.time) - Date.parse(time) < 2500;
    return !old && report.used_bytes !== null && report.used_bytes > 0 ? report : null;
  }, 'the first sample');
  const missing = Math.ceil(share * LIMIT_MIB - (used_bytes as number) / MIB);
  outputsOf(await models.ask(app, `${word} ${missing}`));
}

const steps = async (box: Box) =>
  (await box.decisions((d) => d.policy === 'memory')).map((d) => `${d.subject} ${d.action}`);

describe('the memory of the whole box', () => {
  it('is trimmed at 80 %, and what that freed is measured', async () => {
    const { box, models } = await open(model('caching'));
    await fillTo(box, models, 'caching', 'cache', 0.84);
    const report = await until(async () => {
      const now = await memory(box);
      return now.steps.length > 0 && now.steps[0]?.freed_bytes !== null ? now : null;
    }, 'a trim that was measured');
    expect(report.steps[0]).toMatchObject({ rung: 'trim', targets: [] });
    expect(report.steps[0]?.freed_bytes).toBeGreaterThan(200 * MIB);
    expect(report.used_share).toBeLessThan(0.5);
    expect((await steps(box)).slice(0, 2)).toEqual(['box trim', 'box freed']);
    // Nothing else had to be done.
    expect(await box.row('caching')).toMatchObject({ recycles: 0, ready: 1 });
    const levels = (await box.decisions((d) => d.policy === 'pressure')).map((d) => d.action);
    expect(levels).toContain('raise');
    expect(levels.at(-1)).toBe('lower');
  });

  it('at 90 % costs the largest worker that is over its fair share its place, and no request', async () => {
    const { box, models } = await open(`${model('small')}\n${model('large')}`);
    await until(async () => (await models.worker('large')).age_seconds > FLOOR_SECONDS, 'it to be old enough');
    await fillTo(box, models, 'large', 'keep', 0.91);
    await until(async () => (await box.row('large')).recycles === 1, 'it to be replaced');
    await until(async () => (await box.row('large')).ready === 1, 'the fresh one');
    expect(outputsOf(await models.ask('large', 'look'))).toEqual({ cached: 0, kept: 0 });
    expect(await box.row('small')).toMatchObject({ recycles: 0, ready: 1 });
    expect(await steps(box)).toContain('large@v1/1 recycle');
    await until(async () => ((await memory(box)).used_share ?? 1) < 0.5, 'the memory to be back');
  });

  it('in an emergency unloads what is idle and may sleep; the next request wakes it', async () => {
    const { box, models } = await open(
      `${model('sleeper', ', workers: { min: 0, max: 1 }')}\n${model('awake')}`,
      'pressure: { cleanup: 96%, recycle: 97%, emergency: 98% }\n',
    );
    await fillTo(box, models, 'sleeper', 'keep', 0.6);
    await fillTo(box, models, 'awake', 'keep', 0.99);
    await until(async () => (await box.row('sleeper')).state === 'idle', 'it to be unloaded');
    expect(await steps(box)).toContain('box emergency');
    expect(await box.row('awake')).toMatchObject({ ready: 1, recycles: 0 });
    await until(async () => ((await memory(box)).used_share ?? 1) < 0.7, 'the memory to be back');
    expect(outputsOf(await models.ask('sleeper', 'look'))).toEqual({ cached: 0, kept: 0 });
  });

  it('kills the largest when an emergency does not help, and everything serves again', async () => {
    const { box, models } = await open(`${model('small')}\n${model('large')}`);
    await fillTo(box, models, 'large', 'keep', 1.02);
    await until(async () => (await steps(box)).includes('large@v1/1 kill'), 'it to be killed');
    await until(async () => (await box.row('large')).ready === 1, 'it to be back');
    expect(await box.row('large')).toMatchObject({ recycles: 1, restarts: 0 });
    expect(await box.row('small')).toMatchObject({ recycles: 0, restarts: 0, ready: 1 });
    await until(async () => ((await memory(box)).used_share ?? 1) < 0.5, 'the memory to be back');
  });

  it('is cleaned up by hand, worker by worker', async () => {
    const { box, models } = await open(
      `${model('one')}\n${model('two', ', isolation: thread, workers: 2')}\n  job: { command: [sleep, '60'] }`,
    );
    await models.ask('one', 'cache 100');
    await until(async () => ((await box.row('one')).memory_bytes ?? 0) > 120 * MIB, 'it to be seen');
    const { status, json } = await box.api('POST', '/api/cleanup/', {});
    const report = json as CleanupReport;
    expect(status).toBe(200);
    expect(report.freed_bytes).toBeGreaterThan(80 * MIB);
    expect(report.took_ms).toBeLessThan(5000);
    const byId = new Map(report.workers.map((w) => [w.id, w]));
    expect([...byId.keys()].sort()).toEqual(['job/1', 'one@v1/1', 'two@v1/1', 'two@v1/2']);
    expect(byId.get('one@v1/1')).toMatchObject({ skipped: null, errors: [] });
    expect(byId.get('one@v1/1')?.passes).toBeGreaterThan(0);
    expect(byId.get('one@v1/1')?.freed_bytes).toBeGreaterThan(80 * MIB);
    expect(byId.get('two@v1/2')).toMatchObject({ skipped: null });
    expect(byId.get('job/1')?.skipped).toMatch(/not a Node program/);
  });
});
