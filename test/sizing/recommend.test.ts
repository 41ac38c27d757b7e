import { describe, expect, it } from 'vitest';
import { recommendSize } from '../../src/sizing/recommend.js';

describe('recommendSize', () => {
  it('looks at this machine by itself and answers at once', () => {
    const { workers, reason } = recommendSize({ current: 2, context: { stage: 'foundation', queued: 8, max: 4 } });
    expect(workers).toBeGreaterThanOrEqual(1);
    expect(workers).toBeLessThanOrEqual(4);
    expect(reason).toMatch(/^foundation: (memory is|the load is|8 wait and the load is \d+ %|nothing waits)/);
    expect(reason).not.toMatch(/NaN|undefined|not known/);
  });

  it('needs nothing but the current size', () => {
    expect(recommendSize({ current: 1 })).toMatchObject({ workers: 1 });
  });

  it('goes down to what was measured whatever the machine does', () => {
    const measurements = [
      { workers: 1, throughput: 100 },
      { workers: 2, throughput: 101 },
    ];
    expect(recommendSize({ current: 2, context: { measurements } }).workers).toBe(1);
  });

  it.each([undefined, {}, { current: Number.NaN }, { current: 0 }, { current: 1, context: { min: 5, max: 3 } }])(
    'refuses %j with what is wrong',
    (question) => {
      const ask = () => recommendSize(question as Parameters<typeof recommendSize>[0]);
      expect(ask).toThrow(/current must be|context\.min/);
    },
  );
});
