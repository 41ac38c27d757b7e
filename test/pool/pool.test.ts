import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fakeConfig, PoolRig, turn } from '../support/fake-pool.js';

const MIB = 1024 ** 2;
const ids = (rig: PoolRig) => rig.pool.active().map((w) => w.id);

async function running(rig = new PoolRig(), size = 2): Promise<PoolRig> {
  const started = rig.pool.start(size);
  await rig.bootAll();
  await started;
  return rig;
}

/** Boots and ends what the pool asks for until the act is over. */
async function carryOut(rig: PoolRig, act: Promise<unknown>): Promise<void> {
  let over = false;
  const done = act.finally(() => {
    over = true;
  });
  done.catch(() => {});
  for (let i = 0; i < 200 && !over; i++) {
    await rig.bootAll();
    await rig.endAsked();
  }
  await done;
}

describe('starting', () => {
  it('is over when every worker is ready, not when it was launched', async () => {
    const rig = new PoolRig();
    let over = false;
    const started = rig.pool.start(2).then(() => {
      over = true;
    });
    await turn();
    rig.of('web/1').ready();
    await turn();
    expect(over).toBe(false);
    rig.of('web/2').ready();
    await started;
    expect(rig.pool.readyCount()).toBe(2);
  });

  it('gives up waiting after the third failed boot, with the reason, while the worker goes on trying', async () => {
    const rig = new PoolRig();
    const started = rig.pool.start(1);
    const failure = expect(started).rejects.toThrow(/web\/1 exited with code 7 while starting/);
    for (let boot = 0; boot < 3; boot++) {
      rig.of('web/1').exit(7);
      await turn();
      if (boot < 2) rig.clock.advance(30_000);
    }
    await failure;
    rig.clock.advance(30_000);
    rig.of('web/1').ready();
    await turn();
    expect(rig.pool.readyCount()).toBe(1);
  });

  it('kills a boot that outlasts its timeout and says what it waited for', async () => {
    const rig = new PoolRig();
    rig.pool.start(1).catch(() => {});
    rig.clock.advance(30_000);
    await turn();
    expect(rig.instances[0]?.alive).toBe(false);
    expect(rig.pool.workers[0]?.lastFailure).toMatch(/not ready after 30 s/);
    expect(rig.pool.workers[0]?.state).toBe('backoff');
  });
});

describe('crashes', () => {
  it('restarts the first one at once under the same name, and counts it', async () => {
    const rig = await running();
    rig.of('web/1').exit(1);
    await rig.bootAll();
    expect(ids(rig)).toEqual(['web/1', 'web/2']);
    expect(rig.pool.restarts).toBe(1);
    expect(rig.transitions.slice(-3)).toEqual([
      'web/1 ready>backoff',
      'web/1 backoff>starting',
      'web/1 starting>ready',
    ]);
  });

  it('ends a crash loop in failed, visibly, and tries again later', async () => {
    const rig = new PoolRig(fakeConfig({ restart: { ...fakeConfig().restart, maxRestarts: 2 } }));
    rig.pool.start(1).catch(() => {});
    for (let i = 0; i < 3; i++) {
      rig.of('web/1').exit(1);
      await turn();
      if (i < 2) rig.clock.advance(1000);
    }
    expect(rig.pool.workers[0]?.state).toBe('failed');
    expect(rig.decisions.at(-1)).toMatchObject({ policy: 'restart', action: 'giveUp' });
    const launched = rig.instances.length;
    rig.clock.advance(299_000);
    expect(rig.instances.length).toBe(launched);
    rig.clock.advance(1000);
    expect(rig.instances.length).toBe(launched + 1);
  });

  it('stop cancels a pending restart', async () => {
    const rig = new PoolRig();
    rig.pool.start(1).catch(() => {});
    rig.of('web/1').exit(1);
    await turn();
    expect(rig.pool.workers[0]?.state).toBe('backoff');
    await rig.pool.stop();
    rig.clock.advance(3_600_000);
    expect(rig.instances.length).toBe(1);
    expect(rig.pool.workers).toEqual([]);
  });

  it('leaves one alone that ended cleanly when the policy says so, and starts it again when asked', async () => {
    const rig = await running(
      new PoolRig(fakeConfig({ restart: { ...fakeConfig().restart, policy: 'on-failure' } })),
      1,
    );
    rig.of('web/1').exit(0);
    await turn();
    expect(rig.pool.workers[0]).toMatchObject({ state: 'stopped', ended: 'clean' });
    const again = rig.pool.start(1);
    await rig.bootAll();
    await again;
    expect(ids(rig)).toEqual(['web/2']);
  });
});

describe('stopping', () => {
  it('drains, asks, and kills what does not end in its grace; a second call joins', async () => {
    const rig = await running();
    const first = rig.pool.stop();
    expect(rig.pool.stop()).toBe(first);
    expect(rig.pool.readyCount()).toBe(0);
    await turn();
    expect(rig.of('web/1').asked).toEqual(['SIGTERM']);
    rig.of('web/1').exit(0);
    await turn();
    rig.clock.advance(5000);
    await first;
    expect(rig.of('web/2').asked).toEqual(['SIGTERM', 'SIGKILL']);
    expect(rig.pool.workers).toEqual([]);
  });

  it('waits for a drain no longer than stop.grace', async () => {
    const rig = await running(undefined, 1);
    rig.holdDrains = true;
    const stopped = rig.pool.stop();
    rig.clock.advance(29_999);
    await turn();
    expect(rig.of('web/1').asked).toEqual([]);
    rig.clock.advance(1);
    await turn();
    expect(rig.of('web/1').asked).toEqual(['SIGTERM']);
    await rig.endAsked();
    await stopped;
  });
});

describe('replacing', () => {
  it('keeps the old one serving until the new one is ready, one at a time', async () => {
    const rig = await running();
    const reload = rig.pool.reload({ config: rig.config, blueprint: rig.blueprint('two') });
    await turn();
    expect(rig.alive.length).toBe(3);
    expect(rig.pool.readyCount()).toBe(2);
    expect(rig.drained).toEqual([]);
    rig.of('web/3').ready();
    await turn();
    expect(rig.drained).toEqual(['web/1']);
    expect(rig.of('web/4').blueprint).toBe('two');
    await carryOut(rig, reload);
    expect(ids(rig)).toEqual(['web/3', 'web/4']);
    expect(rig.pool.generation).toBe(2);
    expect(rig.pool.recycling.count).toBe(0);
  });

  it('leaves the old ones in place when a new one does not get ready, and says why', async () => {
    const rig = await running();
    const reload = rig.pool.reload({ config: rig.config, blueprint: rig.blueprint('bad') });
    const failure = expect(reload).rejects.toThrow(/web\/1 was not replaced: web\/3 exited with code 1/);
    await turn();
    rig.of('web/3').exit(1);
    await failure;
    expect(ids(rig)).toEqual(['web/1', 'web/2']);
    expect(rig.pool.readyCount()).toBe(2);
    rig.of('web/1').exit(1);
    await turn();
    expect(rig.of('web/1').blueprint).toBe('one');
  });

  it('coalesces reloads that come while one runs into one that follows', async () => {
    const rig = await running(undefined, 1);
    const change = (name: string) => ({ config: rig.config, blueprint: rig.blueprint(name) });
    const first = rig.pool.reload(change('two'));
    const second = rig.pool.reload(change('three'));
    const third = rig.pool.reload(change('four'));
    expect(third).toBe(second);
    await carryOut(rig, Promise.all([first, second]));
    expect(rig.instances.map((i) => i.blueprint)).toEqual(['one', 'two', 'four']);
  });

  it('drops the replacement when its pool was stopped meanwhile', async () => {
    const rig = await running(undefined, 1);
    const reload = rig.pool.reload({ config: rig.config, blueprint: rig.blueprint('two') });
    const failure = expect(reload).rejects.toThrow(/stopped/);
    await turn();
    await carryOut(rig, rig.pool.stop());
    await failure;
    expect(rig.alive).toEqual([]);
  });

  it('drops the replacement of a worker that a scale-down took', async () => {
    const rig = await running();
    const recycled = rig.pool.recycle(rig.pool.active().slice(0, 1), 'test');
    await turn();
    const shrunk = rig.pool.resize(1);
    await carryOut(rig, Promise.all([recycled, shrunk]));
    expect(rig.pool.active().length).toBe(1);
    expect(rig.alive.length).toBe(1);
  });

  it('takes over from a worker that crashed while its replacement booted', async () => {
    const rig = await running();
    const recycled = rig.pool.recycle(rig.pool.active().slice(0, 1), 'test');
    await turn();
    rig.of('web/1').exit(1);
    await carryOut(rig, recycled);
    expect(rig.pool.active().length).toBe(2);
    expect(ids(rig)).toContain('web/3');
    expect(ids(rig)).not.toContain('web/1');
  });

  it('stops first where two at once are not wanted', async () => {
    const rig = await running(new PoolRig(fakeConfig(), false), 1);
    const recycled = rig.pool.recycle(rig.pool.active(), 'test');
    await turn();
    expect(rig.alive.map((i) => i.worker)).toEqual(['web/1']);
    await rig.endAsked();
    expect(rig.alive.map((i) => i.worker)).toEqual(['web/2']);
    await carryOut(rig, recycled);
  });
});

describe('recycling by policy', () => {
  const limited = (recycle: Partial<ReturnType<typeof fakeConfig>['recycle']>) =>
    new PoolRig(fakeConfig({ recycle: { ...fakeConfig().recycle, ...recycle } }));

  it('replaces at most max_concurrent at once, and logs each with its numbers', async () => {
    const rig = await running(limited({ maxRequests: 10 }), 3);
    rig.clock.advance(11_000);
    for (const id of ids(rig)) rig.of(id).beat(10);
    rig.pool.tick(rig.clock.now(), false);
    await turn();
    expect(rig.alive.length).toBe(4);
    await rig.bootAll();
    await rig.endAsked();
    rig.pool.tick(rig.clock.now(), false);
    await turn();
    expect(rig.alive.length).toBe(4);
    const recycles = rig.decisions.filter((d) => d.policy === 'recycle');
    expect(recycles).toHaveLength(2);
    expect(recycles[0]).toMatchObject({
      subject: 'web/1',
      action: 'recycle',
      reason: 'requests',
      numbers: { requests: 10, limit: 10 },
    });
    expect(rig.pool.recycling.count).toBe(1);
  });

  it('says that the old one stays when the fresh one fails', async () => {
    const rig = await running(limited({ maxRequests: 10 }), 1);
    rig.clock.advance(11_000);
    rig.of('web/1').beat(10);
    await turn();
    rig.of('web/2').exit(1);
    await turn();
    expect(rig.decisions.at(-1)).toMatchObject({ subject: 'web/1', action: 'failed' });
    expect(rig.pool.readyCount()).toBe(1);
    expect(rig.pool.recycling.count).toBe(0);
  });

  it('tries again after a failed replacement, more and more rarely', async () => {
    const rig = await running(limited({ maxRequests: 10 }), 1);
    rig.clock.advance(11_000);
    rig.of('web/1').beat(10);
    const triedAt: number[] = [];
    for (let second = 0; second < 100; second++) {
      await turn();
      for (const instance of rig.alive.filter((i) => i.worker !== 'web/1')) {
        triedAt.push(second);
        instance.exit(1);
      }
      await turn();
      rig.clock.advance(1000);
      rig.of('web/1').beat(10);
    }
    expect(triedAt).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
  });

  it('kills at the hard limit once, restarts at once, and counts a recycle and no restart', async () => {
    const rig = await running(limited({ maxMemoryBytes: 100 * MIB }), 1);
    const worker = rig.pool.active()[0]!;
    worker.readings.memoryBytes = [130 * MIB];
    rig.pool.tick(rig.clock.now(), false);
    rig.pool.tick(rig.clock.now(), false);
    await turn();
    await rig.bootAll();
    expect(rig.decisions.filter((d) => d.action === 'kill')).toHaveLength(1);
    expect([rig.pool.recycling.count, rig.pool.restarts]).toEqual([1, 0]);
    expect(rig.pool.readyCount()).toBe(1);
  });
});

describe('wedged loops', () => {
  it('kills a worker that has been silent too long, and not one that beats', async () => {
    const rig = await running();
    rig.clock.advance(30_001);
    rig.of('web/2').beat();
    rig.pool.tick(rig.clock.now(), false);
    await turn();
    expect(rig.decisions.filter((d) => d.policy === 'health').map((d) => d.subject)).toEqual(['web/1']);
    expect(rig.instances[0]?.alive).toBe(false);
  });

  it('blames nobody for a silence in which the master itself stood still', async () => {
    const rig = await running();
    rig.clock.advance(120_000);
    rig.pool.tick(rig.clock.now(), true);
    rig.pool.tick(rig.clock.now(), false);
    expect(rig.decisions).toEqual([]);
  });
});

describe('any sequence of acts and accidents', () => {
  type Step =
    | 'grow'
    | 'shrink'
    | 'reload'
    | 'recycle'
    | 'crash'
    | 'boot'
    | 'failBoot'
    | 'end'
    | 'time'
    | 'stop'
    | 'start';
  const steps = fc.array(
    fc.constantFrom<Step>(
      'grow',
      'shrink',
      'reload',
      'recycle',
      'crash',
      'boot',
      'failBoot',
      'end',
      'time',
      'stop',
      'start',
    ),
    { maxLength: 40 },
  );

  it('ends with as many workers as are wanted, all ready, and no process besides', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const rig = new PoolRig(fakeConfig({ restart: { ...fakeConfig().restart, maxRestarts: 1000 } }));
        const acts: Promise<unknown>[] = [];
        const run = (act: Promise<unknown>) => acts.push(act.catch(() => {}));
        run(rig.pool.start(2));
        let generation = 0;
        for (const step of sequence) {
          const { pool } = rig;
          if (step === 'grow' && pool.phase === 'running') run(pool.resize(Math.min(5, pool.desired + 1)));
          if (step === 'shrink' && pool.phase === 'running') run(pool.resize(Math.max(1, pool.desired - 1)));
          if (step === 'reload' && pool.phase === 'running')
            run(pool.reload({ config: rig.config, blueprint: rig.blueprint(`g${++generation}`) }));
          if (step === 'recycle' && pool.phase === 'running') run(pool.recycle(pool.active().slice(0, 1), 'test'));
          if (step === 'crash') rig.alive[0]?.exit(1);
          if (step === 'boot') await rig.bootAll();
          if (step === 'failBoot') rig.alive.at(-1)?.exit(2);
          if (step === 'end') await rig.endAsked();
          if (step === 'time') rig.clock.advance(1000);
          if (step === 'stop') run(pool.stop());
          if (step === 'start' && pool.phase === 'stopped') run(pool.start(2));
          await turn();
        }
        for (let i = 0; i < 60; i++) {
          await rig.bootAll();
          await rig.endAsked();
          rig.clock.advance(1000);
        }
        await Promise.all(acts);
        const { pool } = rig;
        expect(pool.active().length).toBe(pool.desired);
        expect(pool.readyCount()).toBe(pool.desired);
        expect(rig.alive.length).toBe(pool.desired);
        expect(new Set(pool.active().map((w) => w.slot)).size).toBe(pool.desired);
      }),
      { numRuns: 1000 },
    );
  });
});
