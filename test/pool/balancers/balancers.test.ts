import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BALANCERS } from '../../../src/config/model-schema.js';
import { strategies } from '../../../src/pool/balancers/strategies.js';
import { type FakeWorker, fakeWorker, Scene, takes, tally } from './support.js';

const worker = fc.record({
  inputs: fc.nat(5),
  free: fc.boolean(),
  relative: fc.option(fc.double({ min: 0.05, max: 20, noNaN: true })),
});
const pool = fc
  .array(worker, { maxLength: 8 })
  .map((list) => list.map(({ relative, inputs, free }, place) => fakeWorker(place, relative, inputs, free)));

describe('every balancer', () => {
  it('has the name that the configuration gives it', () => {
    expect(Object.keys(strategies).sort()).toEqual([...BALANCERS].sort());
  });

  it.each(BALANCERS)('%s never picks one without room, and picks where all are alike', (name) => {
    fc.assert(
      fc.property(pool, fc.nat(20), (workers, picks) => {
        const balancer = new Scene().balancer(name);
        for (let i = 0; i <= picks; i++) {
          const index = balancer.pick(workers, takes);
          if (index !== -1) expect(workers[index]?.free).toBe(true);
          else if (name !== 'least_response_time') expect(workers.some(takes)).toBe(false);
        }
      }),
    );
  });

  it.each(BALANCERS)('%s gives the same answers to the same questions', (name) => {
    fc.assert(
      fc.property(pool, (workers) => {
        const answers = [0, 1].map(() => {
          const balancer = new Scene().balancer(name);
          return Array.from({ length: 10 }, () => balancer.pick(workers, takes));
        });
        expect(answers[0]).toEqual(answers[1]);
      }),
    );
  });

  it.each(BALANCERS)('%s takes turns among equals', (name) => {
    const workers = [0, 1, 2].map((place) => fakeWorker(place));
    const balancer = new Scene().balancer(name);
    expect(Array.from({ length: 6 }, () => balancer.pick(workers, takes))).toEqual([0, 1, 2, 0, 1, 2]);
  });
});

describe('least_connections', () => {
  it('picks one with room and the least in flight, if there is one', () => {
    fc.assert(
      fc.property(pool, (workers) => {
        const index = new Scene().balancer('least_connections').pick(workers, takes);
        const free = workers.filter(takes);
        if (free.length === 0) expect(index).toBe(-1);
        else expect(workers[index]?.inputs).toBe(Math.min(...free.map((w) => w.inputs)));
      }),
    );
  });
});

describe('round_robin', () => {
  it('goes around those with room, whatever they have in flight', () => {
    const workers = [fakeWorker(0, 1, 9), fakeWorker(1, 1, 0, false), fakeWorker(2, 1, 3)];
    const balancer = new Scene().balancer('round_robin');
    expect(Array.from({ length: 4 }, () => balancer.pick(workers, takes))).toEqual([0, 2, 0, 2]);
  });
});

describe('weighted_round_robin', () => {
  it('gives turns by measured speed, to within one round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const workers = weights.map((weight, place) => fakeWorker(place, 1 / weight));
        const balancer = new Scene().balancer('weighted_round_robin');
        const total = weights.reduce((sum, w) => sum + w, 0);
        const counts = tally(total * 10, () => balancer.pick(workers, takes));
        weights.forEach((weight, i) => {
          expect(Math.abs((counts.get(i) ?? 0) - weight * 10)).toBeLessThanOrEqual(1);
        });
      }),
    );
  });

  it('spreads the turns of a fast worker out', () => {
    const workers = [fakeWorker(0, 1 / 5), fakeWorker(1, 1), fakeWorker(2, 1)];
    const balancer = new Scene().balancer('weighted_round_robin');
    const picks = Array.from({ length: 7 }, () => balancer.pick(workers, takes));
    expect(picks).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });

  it('counts a worker that was not measured as an average one, and leaves the slowest a tenth', () => {
    const workers = [fakeWorker(0, 1), fakeWorker(1), fakeWorker(2, 40)];
    const balancer = new Scene().balancer('weighted_round_robin');
    const counts = tally(210, () => balancer.pick(workers, takes));
    expect([...counts].sort()).toEqual([
      [0, 100],
      [1, 100],
      [2, 10],
    ]);
  });
});

describe('least_response_time', () => {
  it('picks the least of pace times in flight plus one', () => {
    fc.assert(
      fc.property(pool, (workers) => {
        const scene = new Scene();
        // So much waits that nobody is held back.
        scene.waiting = 1_000_000;
        const index = scene.balancer('least_response_time').pick(workers, takes);
        const expected = (w: FakeWorker) => w.pace.at(0) * (w.inputs + 1);
        const free = workers.filter(takes);
        if (free.length === 0) expect(index).toBe(-1);
        else expect(expected(workers[index] as FakeWorker)).toBe(Math.min(...free.map(expected)));
      }),
    );
  });

  it('gives a cold worker its fair share among equals: neither none nor all', () => {
    const workers = [fakeWorker(0, 1), fakeWorker(1, 1), fakeWorker(2, 1), fakeWorker(3)];
    const scene = new Scene();
    const balancer = scene.balancer('least_response_time');
    const counts = tally(400, () => {
      const index = balancer.pick(workers, takes);
      workers[index]!.inputs++;
      if (workers.every((w) => w.inputs > 0)) for (const w of workers) w.inputs--;
      return index;
    });
    expect(counts.get(3)).toBeGreaterThan(80);
    expect(counts.get(3)).toBeLessThan(120);
  });

  it('lets work wait for a busy fast worker while a slow one has room', () => {
    const workers = [fakeWorker(0, 1, 1, false), fakeWorker(1, 5)];
    const scene = new Scene();
    const balancer = scene.balancer('least_response_time');
    expect(balancer.pick(workers, takes)).toBe(-1);
    // Without an oldest one it is as if it had come now: the slow one would need 50 ms.
    expect(balancer.heldUntil).toBe(50);
    workers[0]!.free = true;
    expect(balancer.pick(workers, takes)).toBe(0);
    expect(balancer.heldUntil).toBe(null);
  });

  it('uses the slow one when the others need longer for all that waits', () => {
    const workers = [fakeWorker(0, 1, 1, false), fakeWorker(1, 1, 1, false), fakeWorker(2, 5)];
    const scene = new Scene();
    const balancer = scene.balancer('least_response_time');
    scene.waiting = 7;
    expect(balancer.pick(workers, takes)).toBe(-1);
    scene.waiting = 8;
    expect(balancer.pick(workers, takes)).toBe(2);
  });

  it('never holds work for longer than the slow one would have needed', () => {
    fc.assert(
      fc.property(pool, fc.double({ min: 0.1, max: 100, noNaN: true }), fc.nat(20), (workers, oneMs, waiting) => {
        const scene = new Scene(oneMs);
        scene.waiting = waiting;
        scene.oldestAt = 0;
        const balancer = scene.balancer('least_response_time');
        if (balancer.pick(workers, takes) !== -1 || !workers.some(takes)) return;
        const slowest = Math.max(...workers.map((w) => w.pace.at(0)));
        expect(balancer.heldUntil).toBeLessThanOrEqual(slowest * oneMs + 1e-6);
        // What is known of a fast one is forgotten, too: then it counts as an average one.
        scene.now = Math.max(1, slowest) * oneMs;
        expect(balancer.pick(workers, takes)).not.toBe(-1);
      }),
    );
  });

  it('tries a slow worker again when what is known of it has become old', () => {
    const workers = [fakeWorker(0, 1, 1, false), fakeWorker(1, 1, 1, false), fakeWorker(2, 5)];
    const scene = new Scene();
    const balancer = scene.balancer('least_response_time');
    expect(balancer.pick(workers, takes)).toBe(-1);
    scene.now = 30_000;
    for (const w of workers.slice(0, 2)) w.pace.observe(1, scene.now);
    expect(balancer.pick(workers, takes)).toBe(2);
  });

  it('divides what waits by speed, so that all end together', () => {
    const balancer = new Scene().balancer('least_response_time');
    const workers = [fakeWorker(0, 1), fakeWorker(1, 1), fakeWorker(2, 5)];
    expect(workers.map((w) => balancer.share!(workers, w, 22))).toEqual([10, 10, 2]);
    fc.assert(
      fc.property(pool, fc.integer({ min: 1, max: 500 }), (many, queued) => {
        for (const w of many) {
          const part = balancer.share!(many, w, queued);
          expect(part).toBeGreaterThanOrEqual(1);
          expect(part).toBeLessThanOrEqual(queued);
        }
      }),
    );
  });
});
