import { expect, it } from 'vitest';
import { isAlive } from '../../src/worker/kill.js';
import { Box } from '../support/box.js';
import { Models, outputsOf } from '../support/models.js';

it('models share a host and what they load, and go one by one', async () => {
  const model = (name: string) => `
  ${name}:
    module: $FIXTURES/models/shares.mjs
    isolation: thread
    thread_host: zoo
    workers: { min: 0, max: 1 }
    options: { name: ${name}, mib: 100 }`;
  const box = await Box.open(`apps:${model('t1')}${model('t2')}\n`);
  const models = new Models(box);
  await box.ok('start', 'supervisor.yaml');
  const ask = async (name: string, input: string) => outputsOf<{ byte: number }>(await models.ask(name, input));

  await ask('t1', 'write 7');
  expect((await ask('t2', '')).byte).toBe(7);
  const { pid } = await models.worker('t1');
  expect((await models.worker('t2')).pid).toBe(pid);

  await models.act('unload', 't1');
  expect((await ask('t2', '')).byte).toBe(7);
  expect((await ask('t1', '')).byte).toBe(7);
  expect((await models.worker('t1')).pid).toBe(pid);

  // Its log was that of the host.
  await box.ok('delete', 't1');
  expect((await ask('t2', '')).byte).toBe(7);
  await models.act('unload', 't2');
  expect(isAlive(pid)).toBe(false);
  await expect.poll(async () => (await box.ok('logs', 't2')).includes('t2 disposes')).toBe(true);
  await expect.poll(async () => (await box.decisions(({ action }) => action === 'freed')).length).toBe(2);
  for (const { reason } of await box.decisions(({ action }) => action === 'freed'))
    expect(reason).toBe('what its unloading brought');
});
