import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Hooks, type MonitorHooks, type Span } from '../../src/monitor/hooks.js';

const SPAN: Span = {
  name: 'reload web',
  startedAt: '2026-01-01T00:00:00.000Z',
  durationMs: 1,
  memoryBeforeBytes: 1,
  memoryPeakBytes: 2,
  memoryAfterBytes: 1,
  cpuMs: 1,
  gcCount: 0,
  gcMs: 0,
  error: null,
};
const CHANGE = { level: 'high', from: 'low', share: 0.7, usedBytes: 70, limitBytes: 100 } as const;
const DECISION = {
  time: '2026-01-01T00:00:00.000Z',
  policy: 'scale',
  subject: 'web',
  action: 'grow',
  reason: 'demand',
  numbers: { desired: 2 },
};

function hooks() {
  const reports: string[] = [];
  return { hooks: new Hooks((message) => reports.push(message)), reports };
}

function callAll(to: Hooks): void {
  to.before('reload web');
  to.after(SPAN);
  to.pressure(CHANGE);
  to.decision(DECISION);
}

describe('Hooks', () => {
  it('calls who listens with what happened, in the order of registration, until it is ended', () => {
    const { hooks: all, reports } = hooks();
    const seen: unknown[] = [];
    const listener = (who: string): MonitorHooks => ({
      before: (span) => seen.push([who, 'before', span]),
      after: (span) => seen.push([who, 'after', span]),
      onPressure: (change) => seen.push([who, 'pressure', change]),
      onDecision: (decision) => seen.push([who, 'decision', decision]),
    });
    const end = all.use(listener('a'));
    all.use(listener('b'));
    callAll(all);
    expect(seen).toEqual([
      ['a', 'before', { name: 'reload web' }],
      ['b', 'before', { name: 'reload web' }],
      ['a', 'after', SPAN],
      ['b', 'after', SPAN],
      ['a', 'pressure', CHANGE],
      ['b', 'pressure', CHANGE],
      ['a', 'decision', DECISION],
      ['b', 'decision', DECISION],
    ]);
    end();
    end();
    seen.length = 0;
    all.before('x');
    expect(seen).toEqual([['b', 'before', { name: 'x' }]]);
    expect(reports).toEqual([]);
  });

  it('calls methods on their object', () => {
    const { hooks: all } = hooks();
    class Counter implements MonitorHooks {
      count = 0;
      onDecision() {
        this.count++;
      }
    }
    const counter = new Counter();
    all.use(counter);
    all.decision(DECISION);
    expect(counter.count).toBe(1);
  });

  it('gives nothing that could be changed', () => {
    const { hooks: all, reports } = hooks();
    const decision = { ...DECISION, numbers: { ...DECISION.numbers } };
    const span = { ...SPAN };
    all.use({
      name: 'vandal',
      after: (given) => {
        (given as { name: string }).name = 'changed';
      },
      onDecision: (given) => {
        (given.numbers as Record<string, number>).desired = 99;
      },
    });
    all.after(span);
    all.decision(decision);
    expect([span.name, decision.numbers.desired]).toEqual(['reload web', 2]);
    expect(Object.isFrozen(decision) || Object.isFrozen(decision.numbers) || Object.isFrozen(span)).toBe(false);
    expect(reports).toHaveLength(2);
  });

  it('reports what a hook throws or rejects with once for each hook and kind, and calls the others', async () => {
    const { hooks: all, reports } = hooks();
    const calls = vi.fn();
    all.use({
      name: 'bad',
      before: () => {
        throw new TypeError('no such thing');
      },
      after: () => Promise.reject(new RangeError('too far')),
    });
    all.use({
      onPressure: () => {
        throw 'just text';
      },
    });
    all.use({ before: calls, after: calls, onPressure: calls, onDecision: calls });
    for (let i = 0; i < 5; i++) callAll(all);
    await new Promise(setImmediate);
    expect(calls).toHaveBeenCalledTimes(20);
    expect(reports.sort()).toEqual([
      "hook 'bad' failed in after: too far",
      "hook 'bad' failed in before: no such thing",
      'hook 1 failed in onPressure: just text',
    ]);
  });

  it('tells a new kind of error of the same hook, but not endlessly', () => {
    const { hooks: all, reports } = hooks();
    let n = 0;
    all.use({
      before: () => {
        throw Object.assign(new Error('x'), { code: `E${n++}` });
      },
    });
    all.before('a');
    all.before('b');
    expect(reports).toHaveLength(2);
    for (let i = 0; i < 1000; i++) all.before('c');
    expect(reports.length).toBeLessThan(30);
  });

  it('waits for no promise', () => {
    const { hooks: all } = hooks();
    all.use({ before: () => new Promise(() => undefined) });
    all.before('x');
    all.before('x');
  });

  it('does not tell a hook what it causes itself', () => {
    const { hooks: all, reports } = hooks();
    const seen: string[] = [];
    all.use({
      before: ({ name }) => {
        seen.push(name);
        all.before(`${name}!`);
      },
    });
    all.use({ before: ({ name }) => void seen.push(`other ${name}`) });
    all.before('a');
    expect(seen).toEqual(['a', 'other a!', 'other a']);
    expect(reports).toEqual([]);
  });

  it('can be changed by a hook while it calls', () => {
    const { hooks: all } = hooks();
    const late = vi.fn();
    const end = all.use({
      before: () => {
        end();
        all.use({ before: late });
      },
    });
    all.before('a');
    expect(late).not.toHaveBeenCalled();
    all.before('b');
    expect(late).toHaveBeenCalledTimes(1);
  });

  it('never throws, whatever a hook is, throws or answers', async () => {
    const thrown = fc.oneof(
      fc.anything(),
      fc.constant(Object.create(null)),
      fc.constant(
        new Proxy(new Error('x'), {
          get: () => {
            throw new Error('look away');
          },
        }),
      ),
    );
    const nasty = fc.oneof(
      fc.anything(),
      thrown.map((what) => () => {
        throw what;
      }),
      thrown.map((what) => async () => {
        throw what;
      }),
      fc.anything().map((what) => () => what),
      fc.constant(() => ({
        // biome-ignore lint/suspicious/noThenProperty: a broken promise of the user's own making
        get then() {
          throw new Error('then');
        },
      })),
    );
    await fc.assert(
      fc.asyncProperty(nasty, fc.boolean(), async (hook, reportThrows) => {
        const all = new Hooks(() => {
          if (reportThrows) throw new Error('nobody listens');
        });
        const after = vi.fn();
        all.use({ before: hook, after: hook, onPressure: hook, onDecision: hook } as MonitorHooks);
        all.use({ onDecision: after });
        callAll(all);
        await new Promise(setImmediate);
        expect(after).toHaveBeenCalledTimes(1);
      }),
      { numRuns: 200 },
    );
  });
});
