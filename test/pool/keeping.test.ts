import { describe, expect, it } from 'vitest';
import { fakeConfig, PoolRig, turn } from '../support/fake-pool.js';

async function running(): Promise<PoolRig> {
  const rig = new PoolRig(fakeConfig({ workers: { min: 0, max: 2 } }));
  const started = rig.pool.start(2);
  await rig.bootAll();
  await started;
  return rig;
}

async function unloading(): Promise<PoolRig> {
  const rig = await running();
  rig.pool.setSize(0);
  await turn();
  return rig;
}

describe('the process of a worker that ends', () => {
  it('may stay when the pool is to have no worker for now', async () => {
    const rig = await unloading();
    expect(rig.instances.map(({ asked }) => asked)).toEqual([['park'], ['park']]);
    expect(rig.of('web/1').parkWanted?.()).toBe(true);
  });

  it('may not when the pool shrinks, or is stopped', async () => {
    const rig = await running();
    rig.pool.setSize(1);
    await turn();
    await rig.endAsked();
    void rig.pool.stop();
    await turn();
    expect(rig.instances.map(({ asked }) => asked)).toEqual([['SIGTERM'], ['SIGTERM']]);
  });

  const change = (rig: PoolRig) => ({ config: rig.config, blueprint: rig.blueprint('two') });
  it.each<[string, (rig: PoolRig) => unknown]>([
    ['the pool has workers again', (rig) => rig.pool.setSize(1)],
    ['the pool is stopped', (rig) => rig.pool.stop()],
    ['it is configured anew', (rig) => rig.pool.configure(rig.config)],
    ['it goes over to other code', (rig) => rig.pool.adopt(change(rig))],
    ['it is reloaded', (rig) => rig.pool.reload(change(rig))],
    ['its memory is needed', (rig) => rig.pool.release()],
  ])('may not any more when, meanwhile, %s', async (_what, happens) => {
    const rig = await unloading();
    void happens(rig);
    expect(rig.of('web/1').parkWanted?.()).toBe(false);
    await rig.bootAll();
  });
});

describe('a process that was kept', () => {
  it('is ended when the pool goes over to other code, by the backend that has it', async () => {
    const rig = await unloading();
    await rig.endAsked();
    rig.pool.adopt({ config: rig.config, blueprint: rig.blueprint('two') });
    expect(rig.released).toEqual(['one']);
  });

  it('is ended before the pool has stopped', async () => {
    const rig = await unloading();
    await rig.endAsked();
    await rig.pool.stop();
    expect(rig.released).toEqual(['one']);
  });

  it('is ended when the pool is configured anew', async () => {
    const rig = await unloading();
    await rig.endAsked();
    rig.pool.configure(rig.config);
    expect(rig.released).toEqual(['one']);
  });
});
