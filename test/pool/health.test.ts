import { beforeEach, describe, expect, it } from 'vitest';
import type { StallFacts } from '../../src/policy/stall.js';
import type { Service } from '../../src/pool/work.js';
import type { Worker } from '../../src/worker/worker.js';
import { fakeConfig, PoolRig, turn } from '../support/fake-pool.js';

const SECOND = 1000;

class FakeService implements Service {
  readonly config = {
    wedgeMs: 10_000,
    intervalMs: 30_000,
    checkTimeoutMs: 5000,
    failures: 3,
    cooldownMs: 100_000,
    maxEjected: 0.5,
  };
  readonly maxDelayMs = 0;
  comparable = true;
  usualMs: number | null = 20;
  readonly paces = new Map<string, number>();
  readonly limits = new Map<string, number | null>();
  readonly suspended: string[] = [];
  moves: StallFacts | null = null;

  pace(worker: Worker) {
    const relative = this.paces.get(worker.id);
    return relative === undefined ? null : { relative, batches: 100 };
  }
  suspend(worker: Worker): void {
    this.suspended.push(worker.id);
  }
  limit(worker: Worker, batches: number | null): void {
    this.limits.set(worker.id, batches);
  }
  movement() {
    return this.moves;
  }
}

let service: FakeService;
let rig: PoolRig;

beforeEach(() => {
  service = new FakeService();
});

async function running(size: number): Promise<void> {
  rig = new PoolRig(fakeConfig({ workers: { min: size, max: size } }), true, true, service);
  const started = rig.pool.start(size);
  await rig.bootAll();
  await started;
}

/** So many seconds, one tick in each. */
async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    rig.clock.advance(SECOND);
    for (const { worker } of rig.alive) rig.of(worker).beat();
    rig.pool.tick(rig.clock.now(), false);
    await turn();
  }
}

const answer = async (worker: string, complaint: string | null = null) => {
  rig.of(worker).checked(complaint);
  await turn();
};
const states = () => rig.pool.workers.map(({ id, state }) => `${id} ${state}`);
const said = (policy = 'health') =>
  rig.decisions
    .filter((d) => d.policy === policy && d.action !== 'hold')
    .map(({ subject, action }) => `${subject} ${action}`);

/** Fails the checks of a worker until it is out of the rotation, or replaced. */
async function failChecks(worker: string): Promise<void> {
  await pass(30);
  for (let check = 0; check < 3; check++) {
    await answer(worker, 'no database');
    await pass(3);
  }
}

describe('a check', () => {
  it('is asked of an idle worker once an interval, with no prediction beside it', async () => {
    await running(1);
    await pass(29);
    expect(rig.of('web/1').checks).toHaveLength(0);
    await pass(1);
    expect(rig.of('web/1').checks).toHaveLength(1);
    expect(service.limits.get('web/1')).toBe(0);
    await answer('web/1');
    expect(service.limits.get('web/1')).toBe(null);
    await pass(29);
    expect(rig.of('web/1').checks).toHaveLength(1);
    await pass(1);
    expect(rig.of('web/1').checks).toHaveLength(2);
  });

  it('is not asked of one that is busy, or has just proved itself', async () => {
    await running(2);
    rig.inFlight.set('web/1', 1);
    for (let i = 0; i < 4; i++) {
      await pass(20);
      rig.of('web/2').result(true);
    }
    expect([rig.of('web/1').checks, rig.of('web/2').checks]).toEqual([[], []]);
  });

  it('that fails is asked again sooner, and one without an answer has failed', async () => {
    await running(2);
    await pass(30);
    await answer('web/1', 'no database');
    await answer('web/2');
    await pass(3);
    expect([rig.of('web/1').checks.length, rig.of('web/2').checks.length]).toEqual([2, 1]);
    await pass(5);
    await pass(3);
    await answer('web/1', 'no database');
    await pass(1);
    expect(states()).toEqual(['web/1 unhealthy', 'web/2 ready']);
    const [ejection] = rig.decisions.filter((d) => d.action === 'eject');
    expect(ejection?.reason).toBe('its health checks fail: no database');
  });

  it('may block the loop until its timeout, as a prediction may until its deadline', async () => {
    service.config.checkTimeoutMs = 60_000;
    await running(1);
    await pass(30);
    for (let i = 0; i < 60; i++) {
      rig.clock.advance(SECOND);
      rig.pool.tick(rig.clock.now(), false);
    }
    expect(said()).toEqual([]);
    for (let i = 0; i < 31; i++) {
      rig.clock.advance(SECOND);
      rig.pool.tick(rig.clock.now(), false);
    }
    expect(said()).toEqual(['web/1 kill']);
  });

  it('that failed is not made good by answers, only by a check', async () => {
    await running(2);
    rig.inFlight.set('web/2', 1);
    await pass(30);
    await answer('web/1', 'no database');
    for (let i = 0; i < 2; i++) {
      rig.of('web/1').result(true);
      await pass(3);
      await answer('web/1', 'no database');
    }
    await pass(1);
    expect(rig.pool.readyCount()).toBe(1);
  });

  it('leaves nothing behind of a life that ended', async () => {
    await running(2);
    await pass(30);
    await answer('web/2');
    await answer('web/1', 'no database');
    await pass(3);
    await answer('web/1', 'no database');
    rig.of('web/1').exit(1);
    await rig.bootAll();
    await pass(30);
    await answer('web/1', 'no database');
    await answer('web/2');
    await pass(2);
    expect(rig.pool.readyCount()).toBe(2);
  });
});

describe('a worker whose checks fail', () => {
  it('is out for a tenth of the cooldown, is tried with one input, and trusted after that', async () => {
    await running(2);
    rig.inFlight.set('web/2', 1);
    await failChecks('web/1');
    expect(states()).toEqual(['web/1 unhealthy', 'web/2 ready']);
    expect(service.suspended).toEqual(['web/1']);
    const asked = rig.of('web/1').checks.length;
    await pass(9);
    expect(rig.of('web/1').checks.length).toBe(asked + 1);
    await answer('web/1');
    expect([states()[0], service.limits.get('web/1')]).toEqual(['web/1 ready', 1]);
    rig.of('web/1').result(true);
    expect(service.limits.get('web/1')).toBe(null);
    expect(said()).toEqual(['web/1 eject', 'web/1 return', 'web/1 recovered']);
  });

  it('is out twice as long the next time, and replaced when it was tried three times in vain', async () => {
    await running(2);
    rig.inFlight.set('web/2', 1);
    await failChecks('web/1');
    for (const seconds of [10, 20, 40]) {
      const before = rig.of('web/1').checks.length;
      await pass(seconds);
      expect(rig.of('web/1').checks.length).toBe(before + 1);
      await answer('web/1', 'no database');
    }
    await pass(80);
    await rig.bootAll();
    await rig.endAsked();
    expect(said()).toEqual(['web/1 eject', 'web/1 stays out', 'web/1 stays out', 'web/1 stays out', 'web/1 replace']);
    expect(states()).toEqual(['web/2 ready', 'web/3 ready']);
  });

  it('is replaced where it is the only one: the fresh one comes first, and is not replaced again at once', async () => {
    service.config.cooldownMs = 1_000_000;
    await running(1);
    await failChecks('web/1');
    expect(states()).toEqual(['web/1 ready', 'web/2 starting']);
    await rig.bootAll();
    await rig.endAsked();
    expect(states()).toEqual(['web/2 ready']);
    expect(rig.pool.recycling.count).toBe(1);
    await failChecks('web/2');
    expect(said()).toEqual(['web/1 replace']);
    // A tenth of the cooldown after the first.
    for (let i = 0; i < 20; i++) {
      await pass(3);
      await answer('web/2', 'no database');
    }
    expect(said()).toEqual(['web/1 replace', 'web/2 replace']);
  });

  it('counts as there for whoever waits for the size', async () => {
    await running(2);
    rig.inFlight.set('web/2', 1);
    await failChecks('web/1');
    await rig.pool.settled();
    const grown = rig.pool.resize(3);
    await rig.bootAll();
    await grown;
    expect(rig.pool.readyCount()).toBe(2);
  });
});

describe('a worker whose predictions fail', () => {
  it('is out as soon as the third one came back, while the others succeed', async () => {
    await running(3);
    for (let i = 0; i < 3; i++) {
      rig.of('web/1').result(false);
      rig.clock.advance(1);
      rig.of('web/2').result(true);
      rig.of('web/3').result(true);
    }
    expect(states()).toEqual(['web/1 unhealthy', 'web/2 ready', 'web/3 ready']);
    await pass(10);
    await answer('web/1');
    // On trial: the first one decides.
    rig.of('web/1').result(false);
    expect(states()[0]).toBe('web/1 unhealthy');
    expect(rig.decisions.filter((d) => d.action === 'eject').map((d) => d.numbers.cooldown_ms)).toEqual([
      10_000, 20_000,
    ]);
  });

  it('stays where all fail alike', async () => {
    await running(2);
    for (let i = 0; i < 50; i++) for (const worker of ['web/1', 'web/2']) rig.of(worker).result(false);
    expect(rig.pool.readyCount()).toBe(2);
  });
});

describe('a worker that is slow', () => {
  it('is out, unless what the workers get can’t be compared', async () => {
    await running(3);
    for (const [worker, pace] of [
      ['web/1', 5],
      ['web/2', 1],
      ['web/3', 1],
    ] as const)
      service.paces.set(worker, pace);
    service.comparable = false;
    await pass(1);
    expect(rig.pool.readyCount()).toBe(3);
    service.comparable = true;
    await pass(1);
    expect(states()).toEqual(['web/1 unhealthy', 'web/2 ready', 'web/3 ready']);
  });
});

describe('a queue that stands still', () => {
  it('has the worker that takes nothing replaced, though its checks are green, and says so meanwhile', async () => {
    await running(2);
    const still = { queued: 4, oldestMs: 11_000, stillMs: 11_000, p95Ms: null };
    const workers = [
      { worker: 'web/1', hasRoom: false, inFlightMs: 500 },
      { worker: 'web/2', hasRoom: true, inFlightMs: null },
    ];
    service.moves = { ...still, workers };
    await pass(1);
    expect(rig.pool.stalled).toBe('its queue stands still: 4 waiting, nothing moved for 11 s');
    expect(said()).toEqual(['web/2 replace']);
    expect(states()).toEqual(['web/1 ready', 'web/2 ready', 'web/3 starting']);
    service.moves = null;
    await rig.bootAll();
    await rig.endAsked();
    await pass(1);
    expect(rig.pool.stalled).toBe(null);
    expect(states()).toEqual(['web/1 ready', 'web/3 ready']);
  });
});
