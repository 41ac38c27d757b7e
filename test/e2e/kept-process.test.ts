import { expect, it } from 'vitest';
import { isAlive } from '../../src/worker/kill.js';
import { Box } from '../support/box.js';
import { Models, outputsOf } from '../support/models.js';

interface Memory {
  loads: number;
  worker: string;
  pid: number;
}

it.each(['process', 'thread'] as const)('a %s is kept from one load of its model to the next', async (isolation) => {
  const box = await Box.open(`apps:
  model:
    module: $FIXTURES/models/remembers.mjs
    isolation: ${isolation}
    workers: { min: 0, max: 1 }
    unload: { keep_process: true }
`);
  const models = new Models(box);
  await box.ok('start', 'supervisor.yaml');
  const ask = async () => outputsOf<Memory>(await models.ask('model', ''));
  const first = await ask();
  await models.act('unload', 'model');
  expect((await box.row('model')).workers).toEqual([]);
  expect(isAlive(first.pid)).toBe(true);
  expect((await box.decisions(({ action }) => action === 'freed')).map(({ reason }) => reason)).not.toContain('failed');

  const second = await ask();
  expect(second.pid).toBe(first.pid);
  expect(second.worker).toBe('model@v1/2');
  const { lines } = (await box.api('GET', '/api/apps/model/logs')).json as {
    lines: { worker: string; line: string }[];
  };
  const loaded = lines.filter(({ line }) => line.startsWith('loaded in'));
  expect(loaded.map(({ worker, line }) => [worker, line])).toEqual([
    [expect.any(String), 'loaded in model@v1/1'],
    [expect.any(String), 'loaded in model@v1/2'],
  ]);
  if (isolation === 'process') expect(loaded.map(({ worker }) => worker)).toEqual(['model@v1/1', 'model@v1/2']);

  await models.act('unload', 'model');
  await box.ok('reload', 'model');
  await expect.poll(() => isAlive(first.pid)).toBe(false);
  const third = await ask();
  expect(third.pid).not.toBe(first.pid);
  await models.act('unload', 'model');
  expect(isAlive(third.pid)).toBe(true);
  await box.ok('delete', 'model');
  expect(isAlive(third.pid)).toBe(false);
});

it('no process is kept while memory is short', async () => {
  const box = await Box.open(`limits: { memory: 4GiB }
pressure: { medium: 1MiB, high: 3GiB, critical: 3500MiB }
apps:
  model:
    module: $FIXTURES/models/remembers.mjs
    workers: { min: 0, max: 1 }
    unload: { keep_process: true }
`);
  const models = new Models(box);
  await box.ok('start', 'supervisor.yaml');
  await expect.poll(async () => (await box.api('GET', '/api/memory/')).json).toMatchObject({ pressure: 'medium' });
  const { pid } = outputsOf<Memory>(await models.ask('model', ''));
  await models.act('unload', 'model');
  expect(isAlive(pid)).toBe(false);
});
