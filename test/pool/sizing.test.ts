import { describe, expect, it } from 'vitest';
import { type BoxFacts, Sizing } from '../../src/pool/sizing.js';
import type { TreeSample } from '../../src/sensing/snapshot.js';
import { PoolRig, turn } from '../support/fake-pool.js';

const MIB = 1024 ** 2;
const SCALE = { headroom: 1.2, target: null, upWindowMs: 5000, upCooldownMs: 10_000, downWindowMs: 120_000 };
const BOX: BoxFacts = {
  cpuShare: 0.2,
  cpuHigh: 0.85,
  cores: 4,
  cpuWait: 0,
  pressure: 'low',
  roomBytes: 1000 * MIB,
  fairBytes: 1000 * MIB,
};
const SERVICE_MS = 100;

class Rig extends PoolRig {
  readonly failures: string[] = [];
  readonly sizing = new Sizing(
    this.pool,
    { workers: { min: 1, max: 8 }, scale: SCALE, concurrency: 1, deadlineMs: 1000, memoryBytes: null },
    {
      clock: this.clock,
      decided: (subject, policy, decision) => this.decisions.push({ subject, policy, ...decision }),
      failed: (error) => this.failures.push(error.message),
    },
  );

  static async running(size = 1): Promise<Rig> {
    const rig = new Rig();
    const started = rig.pool.start(size);
    await rig.bootAll();
    await started;
    rig.measure(50);
    return rig;
  }

  /** What the sampler would have found. */
  measure(ownMib: number): void {
    for (const worker of this.pool.workers) worker.readings.tree = { ownBytes: ownMib * MIB } as TreeSample;
  }

  /** So many seconds of so many requests a second, each answered by whatever workers there are. */
  async seconds(count: number, perSecond: number, box: Partial<BoxFacts> = {}, pinned = false): Promise<void> {
    for (let second = 0; second < count; second++) {
      this.demand ??= { arrivals: 0, completed: 0, busyMs: 0 };
      const { arrivals, completed, busyMs } = this.demand;
      this.demand = {
        arrivals: arrivals + perSecond,
        completed: completed + perSecond,
        busyMs: busyMs + perSecond * SERVICE_MS,
      };
      this.clock.advance(1000);
      this.sizing.tick({ ...BOX, ...box }, pinned);
      await this.bootAll();
      await this.endAsked();
    }
  }
}

describe('a pool that follows its demand', () => {
  it('grows with the offered load, and says what it saw', async () => {
    const rig = await Rig.running();
    await rig.seconds(60, 30);
    // 30 requests a second of 100 ms are 3 workers' time.
    expect(rig.pool.desired).toBeGreaterThanOrEqual(4);
    expect(rig.pool.readyCount()).toBe(rig.pool.desired);
    const grown = rig.decisions.filter((d) => d.policy === 'scale' && d.action === 'grow');
    expect(grown.length).toBeGreaterThan(0);
    expect(Object.keys(grown[0]!.numbers).length).toBeGreaterThan(2);
    expect(rig.sizing.latest?.desired).toBe(rig.pool.desired);
  });

  it('takes idle workers only when it shrinks', async () => {
    const rig = await Rig.running(4);
    for (const id of ['web/1', 'web/3', 'web/4']) rig.inFlight.set(id, 1);
    await rig.seconds(400, 1);
    expect(rig.drained).toEqual(['web/2']);
    rig.inFlight.clear();
    await rig.seconds(400, 1);
    expect(rig.pool.desired).toBeLessThan(3);
  });

  it('does not grow without room in memory, and shows what holds it', async () => {
    const rig = await Rig.running();
    await rig.seconds(60, 30, { roomBytes: 40 * MIB });
    expect(rig.pool.desired).toBe(1);
    expect(rig.sizing.latest?.heldBy).toBe('memory');
    expect(rig.sizing.latest?.target).toBeGreaterThan(1);
    const said = rig.decisions.filter((d) => d.policy === 'scale').map((d) => d.action);
    expect(new Set(said)).toEqual(new Set(['hold']));
  });

  it('does not grow from cpu.high on, wherever that is', async () => {
    const busy = await Rig.running();
    await busy.seconds(60, 30, { cpuShare: 0.6, cpuHigh: 0.55 });
    expect([busy.pool.desired, busy.sizing.latest?.heldBy]).toEqual([1, 'cpu']);
    const allowed = await Rig.running();
    await allowed.seconds(60, 30, { cpuShare: 0.9, cpuHigh: 0.95 });
    expect(allowed.pool.desired).toBeGreaterThan(2);
  });

  it('leaves a pinned size alone', async () => {
    const rig = await Rig.running();
    await rig.seconds(60, 30, {}, true);
    expect([rig.pool.desired, rig.sizing.latest, rig.decisions.length]).toEqual([1, null, 0]);
  });

  it('leaves a pool that sleeps, or is stopped, asleep', async () => {
    const rig = await Rig.running();
    void rig.pool.resize(0);
    await rig.endAsked();
    await rig.seconds(30, 30);
    expect(rig.pool.desired).toBe(0);
    void rig.pool.stop();
    await turn();
    await rig.seconds(30, 30);
    expect(rig.pool.phase).toBe('stopped');
  });

  it('falls back to one worker while memory is critical and it has more than its share, and recovers', async () => {
    const rig = await Rig.running(4);
    rig.measure(200);
    await rig.seconds(60, 25, { pressure: 'critical', roomBytes: 0, fairBytes: 300 * MIB });
    expect(rig.pool.desired).toBe(1);
    await rig.seconds(120, 25);
    expect(rig.pool.desired).toBeGreaterThan(2);
  });
});
