import { describe, expect, it } from 'vitest';
import { fakeConfig, PoolRig, turn } from '../support/fake-pool.js';

const MIB = 1024 ** 2;
const LIMIT = 100 * MIB;
const BORN_WITH_MIB = 30;

async function running(speaks = true): Promise<PoolRig> {
  const config = fakeConfig({ recycle: { ...fakeConfig().recycle, jitter: 0, maxMemoryBytes: LIMIT } });
  const rig = new PoolRig(config, true, speaks);
  const started = rig.pool.start(1);
  await rig.bootAll();
  await started;
  rig.clock.advance(20_000);
  rig.of('web/1').beat();
  look(rig, BORN_WITH_MIB);
  return rig;
}

function look(rig: PoolRig, mib: number): void {
  const worker = rig.pool.workers.find((w) => w.id === 'web/1')!;
  worker.readings.look(mib * MIB, true);
  rig.pool.checkMemory(worker, rig.clock.now());
}

const memory = (rig: PoolRig) => rig.decisions.filter((d) => d.policy === 'memory');

describe('a worker near its memory limit', () => {
  it('is asked to trim at 80 %, once, and what that brought is in the decisions', async () => {
    const rig = await running();
    look(rig, 79);
    expect(rig.of('web/1').cleanups).toEqual([]);
    look(rig, 85);
    look(rig, 86);
    expect(rig.of('web/1').cleanups.map((c) => c.level)).toEqual(['trim']);
    rig.of('web/1').cleaned();
    await turn();
    look(rig, 40);
    expect(memory(rig).map((d) => [d.action, d.numbers.freed_bytes ?? null])).toEqual([
      ['trim', null],
      ['freed', 45 * MIB],
    ]);
  });

  it('is asked for all it can give at 95 %', async () => {
    const rig = await running();
    look(rig, 96);
    expect(rig.of('web/1').cleanups.at(-1)?.level).toBe('emergency');
  });

  it('is not replaced while a cleanup may still bring it below, and is when it does not', async () => {
    const rig = await running();
    look(rig, 105);
    look(rig, 105);
    expect(rig.of('web/1').cleanups).toHaveLength(1);
    expect(rig.decisions.filter((d) => d.action === 'recycle')).toEqual([]);
    rig.of('web/1').cleaned();
    await turn();
    look(rig, 105);
    expect(rig.decisions.filter((d) => d.action === 'recycle')).toHaveLength(1);
  });

  it('is replaced although it does not answer', async () => {
    const rig = await running();
    look(rig, 105);
    rig.clock.advance(1500);
    look(rig, 105);
    expect(rig.decisions.filter((d) => d.action === 'recycle')).toHaveLength(1);
  });

  it('is killed at 120 % whatever it is doing', async () => {
    const rig = await running();
    look(rig, 105);
    look(rig, 121);
    expect(rig.decisions.filter((d) => d.action === 'kill')).toHaveLength(1);
  });

  it('is asked again after the box had it trimmed, no sooner than without', async () => {
    const rig = await running();
    look(rig, 96);
    rig.of('web/1').cleaned();
    await turn();
    look(rig, 96);
    void rig.pool.workers[0]?.cleaning.ask('trim');
    rig.of('web/1').cleaned();
    await turn();
    rig.clock.advance(1000);
    look(rig, 96);
    expect(rig.of('web/1').cleanups.map((c) => c.level)).toEqual(['emergency', 'trim']);
  });

  it('is not asked when nobody in there would understand', async () => {
    const rig = await running(false);
    look(rig, 96);
    expect(rig.of('web/1').received).toEqual([]);
  });

  it('forgets what was asked of a process that is gone', async () => {
    const rig = await running();
    look(rig, 85);
    rig.of('web/1').exit(1);
    await turn();
    const [worker] = rig.pool.workers;
    expect(worker?.readings.memoryBytes).toEqual([]);
    await rig.bootAll();
    look(rig, 85);
    expect(rig.of('web/1').cleanups).toHaveLength(1);
  });
});

describe('a replacement for memory', () => {
  it('comes first where there is room for both', async () => {
    const rig = await running();
    rig.roomBytes = 200 * MIB;
    look(rig, 105);
    rig.clock.advance(1500);
    look(rig, 105);
    expect(rig.alive.map((i) => i.worker)).toEqual(['web/1', 'web/2']);
  });

  it('comes after the old one where there is none, and the decision says so', async () => {
    const rig = await running();
    rig.roomBytes = 10 * MIB;
    look(rig, 105);
    rig.clock.advance(1500);
    look(rig, 105);
    await turn();
    expect(rig.decisions.find((d) => d.action === 'recycle')?.reason).toMatch(/no room for both/);
    expect(rig.alive.map((i) => i.worker)).toEqual(['web/1']);
    await rig.endAsked();
    await rig.bootAll();
    expect(rig.alive.map((i) => i.worker)).toEqual(['web/2']);
    expect([rig.pool.readyCount(), rig.pool.recycling.count]).toEqual([1, 1]);
  });
});
