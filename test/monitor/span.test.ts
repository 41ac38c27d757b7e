import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { Hooks, type Span } from '../../src/monitor/hooks.js';
import { trackSpan } from '../../src/monitor/span.js';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;
const MIB = 1024 ** 2;

function listening() {
  const hooks = new Hooks((message) => {
    throw new Error(message);
  });
  const spans: Span[] = [];
  const begun: string[] = [];
  hooks.use({ before: ({ name }) => begun.push(name), after: (span) => spans.push(span) });
  return { hooks, spans, begun };
}

/** Touched, so that it is resident. */
function allocate(mib: number): Buffer {
  return Buffer.alloc(mib * MIB, 1);
}

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('trackSpan', () => {
  it('hands the result on, of functions and of promises, and is complete when it settles', async () => {
    const { hooks, spans, begun } = listening();
    expect(await trackSpan('plain', () => 42, hooks)).toBe(42);
    expect(await trackSpan('async', async () => 'x', hooks)).toBe('x');
    expect(begun).toEqual(['plain', 'async']);
    expect(spans.map(({ name, error }) => [name, error])).toEqual([
      ['plain', null],
      ['async', null],
    ]);
  });

  it('hands on what is thrown, the very thing, and names it in the span', async () => {
    const { hooks, spans } = listening();
    const error = new TypeError('no such stage');
    const odd = Object.create(null);
    const rejecting = trackSpan('rejects', () => Promise.reject(error), hooks);
    await expect(rejecting).rejects.toBe(error);
    const throwing = () => {
      throw odd;
    };
    await expect(trackSpan('throws', throwing, hooks)).rejects.toBe(odd);
    expect(spans.map((span) => span.error)).toEqual(['no such stage', expect.stringContaining('object')]);
  });

  it('calls the function at once', () => {
    const fn = vi.fn();
    void trackSpan('x', fn, listening().hooks);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('says when it began, how long it took and how much CPU', async () => {
    const { hooks, spans } = listening();
    const clock = new ManualClock(Date.parse('2026-01-01T00:00:00.000Z'));
    const span = async (name: string, fn: () => unknown) => {
      await trackSpan(name, fn, hooks, clock);
      return spans.at(-1) as Span;
    };
    const busy = await span('busy', () => spin(200));
    const idle = await span('idle', () => sleep(200));
    expect(busy.startedAt).toBe('2026-01-01T00:00:00.000Z');
    for (const { durationMs } of [busy, idle]) expect(durationMs).toBeGreaterThanOrEqual(199);
    expect(busy.cpuMs).toBeGreaterThan(20);
    expect(idle.cpuMs).toBeLessThan(busy.cpuMs);
  });

  it('sees a peak between the ends', async () => {
    const { hooks, spans } = listening();
    // The process was larger before, so its highest ever tells nothing.
    allocate(400);
    collectGarbage();
    await expect
      .poll(() => process.resourceUsage().maxRSS * 1024 - process.memoryUsage.rss())
      .toBeGreaterThan(300 * MIB);
    const work = async () => {
      let held: Buffer | null = allocate(150);
      await sleep(200);
      held = null;
      collectGarbage();
      await sleep(100);
      return held;
    };
    await trackSpan('hoards for a while', work, hooks);
    const { memoryBeforeBytes, memoryPeakBytes, memoryAfterBytes } = spans[0] as Span;
    expect(Number(memoryPeakBytes) - Number(memoryBeforeBytes)).toBeGreaterThan(120 * MIB);
    expect(Number(memoryPeakBytes) - Number(memoryAfterBytes)).toBeGreaterThan(100 * MIB);
  });

  it('sees a peak that came and went while the event loop was blocked', async () => {
    const { hooks, spans } = listening();
    const above = process.resourceUsage().maxRSS * 1024 - process.memoryUsage.rss();
    const work = () => {
      allocate(Math.ceil(above / MIB) + 200);
      collectGarbage();
    };
    await trackSpan('blocks', work, hooks);
    const { memoryBeforeBytes, memoryPeakBytes } = spans[0] as Span;
    expect(Number(memoryPeakBytes) - Number(memoryBeforeBytes)).toBeGreaterThan(150 * MIB);
  });

  it('counts the collections within, and no others', async () => {
    const { hooks, spans } = listening();
    collectGarbage();
    const work = async () => {
      collectGarbage();
      await sleep(20);
      collectGarbage();
      collectGarbage();
    };
    const overlapping = trackSpan('outer', () => sleep(300), hooks);
    await trackSpan('three', work, hooks);
    collectGarbage();
    // That one is told of only while this one runs.
    await trackSpan('none', () => undefined, hooks);
    await overlapping;
    const [three, none, outer] = spans as [Span, Span, Span];
    // The engine may have collected a little on its own.
    expect(three.gcCount).toBeGreaterThanOrEqual(3);
    expect(three.gcMs).toBeGreaterThan(0);
    expect(three.gcMs).toBeLessThan(three.durationMs);
    expect(outer.gcCount).toBeGreaterThanOrEqual(three.gcCount + 1);
    expect(none.gcCount).toBe(0);
  });

  it('does not suffer from hooks that fail, and leaves nothing running', async () => {
    const hooks = new Hooks(() => undefined);
    const fail = () => {
      throw new Error('hook');
    };
    hooks.use({ before: fail, after: fail });
    expect(await trackSpan('x', () => 1, hooks)).toBe(1);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(1);
  });
});
