import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestWindow } from '../../../src/policy/keepalive/best-window.js';
import type { Stretch } from '../../../src/policy/keepalive/idle-histogram.js';

const MINUTE = 60_000;

/** Stretches in order, with gaps between them. */
const stretches = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 3_000_000 }),
      width: fc.integer({ min: 1, max: 900_000 }),
      weight: fc.integer({ min: 1, max: 50 }),
    }),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((list) => {
    let at = 0;
    return list.map(({ gap, width, weight }): Stretch => {
      const fromMs = at + gap;
      at = fromMs + width;
      return { fromMs, toMs: at, weight };
    });
  });

/** What a window costs per idle time, integrated step by step; a load that isn't done in time is a whole cold start. */
function cost(
  list: Stretch[],
  unseen: number,
  keepMs: number,
  prewarmMs: number | null,
  coldMs: number,
  leadMs: number,
  price: number,
) {
  const total = list.reduce((sum, { weight }) => sum + weight, unseen);
  const from = prewarmMs ?? 0;
  const warmFrom = prewarmMs === null ? 0 : prewarmMs + leadMs;
  const STEPS = 50;
  const of = (idleMs: number, weight: number) => {
    const cold = idleMs > keepMs || idleMs < warmFrom ? coldMs : 0;
    return (weight / total) * (cold + price * Math.max(0, Math.min(idleMs, keepMs) - from));
  };
  let sum = of(Number.MAX_SAFE_INTEGER, unseen);
  for (const { fromMs, toMs, weight } of list)
    for (let step = 0; step < STEPS; step++)
      sum += of(fromMs + ((step + 0.5) / STEPS) * (toMs - fromMs), weight / STEPS);
  return sum;
}

describe('bestWindow', () => {
  it('costs no more than any other window that begins before a stretch and ends with one', () => {
    fc.assert(
      fc.property(
        stretches,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 500, max: 20_000 }),
        fc.double({ min: 1e-6, max: 1e-1, noNaN: true }),
        (list, unseen, coldMs, price) => {
          const leadMs = coldMs;
          const own = bestWindow(list, unseen, coldMs, leadMs, price);
          const ours = cost(list, unseen, own.keepMs, own.prewarmMs, coldMs, leadMs, price);
          const starts = [null, ...list.map(({ fromMs }) => fromMs - leadMs).filter((start) => start >= MINUTE)];
          const others = starts.flatMap((start) =>
            [0, ...list.map(({ toMs }) => toMs)]
              .filter((end) => end > (start ?? -1) + leadMs || (start === null && end === 0))
              .map((end) => cost(list, unseen, end, start, coldMs, leadMs, price)),
          );
          // A lead that reaches into the stretch before costs a little less there than the one pass reckons.
          expect(ours).toBeLessThanOrEqual(Math.min(...others) + leadMs * price + 1e-6 * coldMs);
        },
      ),
    );
  });

  it('keeps what is called every few seconds, whatever the price', () => {
    const list = [{ fromMs: 1000, toMs: 9000, weight: 1000 }];
    expect(bestWindow(list, 1, 1000, 1000, 1e-3)).toEqual({ keepMs: 9000, prewarmMs: null });
  });

  it('loads a timer shortly before it is due', () => {
    const list = [{ fromMs: 59 * MINUTE, toMs: 61 * MINUTE, weight: 20 }];
    expect(bestWindow(list, 1, 1000, 3000, 1e-3)).toEqual({ keepMs: 61 * MINUTE, prewarmMs: 59 * MINUTE - 3000 });
  });

  it('does not unload for less than a minute', () => {
    const list = [{ fromMs: 50_000, toMs: 60_000, weight: 20 }];
    expect(bestWindow(list, 1, 10_000, 3000, 1e-3)).toEqual({ keepMs: 60_000, prewarmMs: null });
  });

  it('lets go of what is called so rarely that its memory is worth more', () => {
    const list = [{ fromMs: 0, toMs: 24 * 60 * MINUTE, weight: 20 }];
    expect(bestWindow(list, 1, 1000, 1000, 1e-3)).toEqual({ keepMs: 0, prewarmMs: null });
  });

  it('is loaded for less of the time, the dearer memory is', () => {
    fc.assert(
      fc.property(stretches, fc.double({ min: 1e-6, max: 1e-2, noNaN: true }), (list, price) => {
        const total = list.reduce((sum, { weight }) => sum + weight, 1);
        const loaded = (at: number) => {
          const { keepMs, prewarmMs } = bestWindow(list, 1, 2000, 2000, at);
          const from = prewarmMs ?? 0;
          return [...list, { fromMs: 1e12, toMs: 1e12, weight: 1 }].reduce(
            (sum, { fromMs, toMs, weight }) =>
              sum + (weight / total) * Math.max(0, Math.min((fromMs + toMs) / 2, keepMs) - from),
            0,
          );
        };
        expect(loaded(price * 2)).toBeLessThanOrEqual(loaded(price) * 1.001 + 4000);
      }),
    );
  });
});
