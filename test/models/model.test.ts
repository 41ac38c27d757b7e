import { describe, expect, it } from 'vitest';
import type { App } from '../../src/apps/app.js';
import { type LearnedModel, Model } from '../../src/models/model.js';
import type { Dispatcher } from '../../src/pool/dispatcher.js';
import type { Pool } from '../../src/pool/pool.js';

const DAY_MS = 86_400_000;

function made(learned?: LearnedModel) {
  const inputs = { queued: 0, inFlight: 0 };
  const pins = new Map<string | null, number>();
  const app = { name: 'm', config: { workers: { min: 0, max: 2 } }, pinnedSize: (v: string) => pins.get(v) ?? null };
  const pool = { name: 'm@v1', version: 'v1', workers: [] as unknown[], phase: 'running', desired: 0 };
  const dispatcher = { stats: () => inputs, isUp: false };
  const model = new Model(
    app as unknown as App,
    'v1',
    pool as unknown as Pool,
    dispatcher as unknown as Dispatcher,
    learned,
    DAY_MS,
  );
  return { model, inputs, pins, pool };
}

describe('a model', () => {
  it('is idle from the end of its last request, however long that took, or from its load on', () => {
    const { model } = made();
    expect([model.idleMs(0), model.unusedMs(0)]).toEqual([null, null]);
    model.loadEnded(1, 1000);
    expect(model.idleMs(1500)).toBe(500);
    model.began(2000, 0);
    model.began(3000, 0);
    model.ended(50_000);
    expect([model.isIdle, model.idleMs(60_000), model.unusedMs(60_000)]).toEqual([false, null, 0]);
    model.ended(90_000);
    expect([model.isIdle, model.idleMs(90_700), model.unusedMs(90_700)]).toEqual([true, 700, 700]);
    model.loadEnded(1, 95_000);
    expect([model.idleMs(96_000), model.unusedMs(96_000)]).toEqual([1000, 6000]);
  });

  it('is busy while something runs that nobody waits for any more', () => {
    const { model, inputs } = made();
    model.began(0, 0);
    inputs.inFlight = 1;
    model.ended(10);
    expect(model.isIdle).toBe(false);
    inputs.inFlight = 0;
    expect(model.isIdle).toBe(true);
  });

  it('is loaded on demand with a least size of 0, unless an operator has fixed another', () => {
    const { model, pins } = made();
    expect(model.onDemand).toBe(true);
    pins.set('v1', 2);
    expect(model.onDemand).toBe(false);
    pins.set('v1', 0);
    expect(model.onDemand).toBe(true);
  });

  it('is leaving as long as a process of it is there', () => {
    const { model, pool } = made();
    pool.workers = [{}];
    expect(model.isLeaving).toBe(true);
    pool.desired = 1;
    expect(model.isLeaving).toBe(false);
    pool.phase = 'stopping';
    expect(model.isLeaving).toBe(true);
    pool.workers = [];
    expect(model.isLeaving).toBe(false);
  });

  it('hands on all that it has learned', () => {
    const learned = {
      bytes: 5,
      gpuBytes: 4,
      leastBytes: 3,
      leastGpuBytes: 2,
      loadSeconds: 1.5,
      patience: 4,
      history: null,
    };
    const { history: _, ...kept } = made(learned).model.learned();
    const { history: __, ...expected } = learned;
    expect(kept).toEqual(expected);
    const again = made(JSON.parse(JSON.stringify(made(learned).model.learned())) as LearnedModel).model;
    expect([again.size, again.least, again.loadSeconds]).toEqual([
      { bytes: 5, gpuBytes: 4 },
      { bytes: 3, gpuBytes: 2 },
      1.5,
    ]);
  });
});
