import { describe, expect, it } from 'vitest';
import { recommendSize } from '../../src/sizing/recommend.js';

describe('recommendSize', () => {
  it('looks at this machine by itself and answers at once', () => {
    const { workers, reason } = recommendSize({ current: 2, context: { stage: 'foundation', queued: 8, max: 4 } });
    expect(workers).toBeGreaterThanOrEqual(1);
    expect(workers).toBeLessThanOrEqual(4);
    expect(reason).toMatch(/^foundation: (memory is|CPU|8 wait and CPU is at \d+ %|nothing waits)/);
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
});
