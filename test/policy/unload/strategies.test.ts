import { describe, expect, it } from 'vitest';
import { shifted, strategyAnswer } from '../../../src/policy/unload/strategies.js';

describe('a strategy under pressure', () => {
  it.each([
    ['conservative', 'low', 'conservative'],
    ['conservative', 'medium', 'balanced'],
    ['conservative', 'high', 'aggressive'],
    ['balanced', null, 'balanced'],
    ['balanced', 'medium', 'aggressive'],
    ['balanced', 'critical', 'aggressive'],
    ['aggressive', 'critical', 'aggressive'],
  ] as const)('%s at %s is %s', (strategy, pressure, expected) => {
    expect(shifted(strategy, pressure)).toBe(expected);
  });
});

describe('the answer of a strategy of one’s own', () => {
  it('may be a bare yes or no, or carry a reason and a score', () => {
    expect(strategyAnswer(true)).toEqual({ unload: true, reason: null, score: 0.8 });
    expect(strategyAnswer({ unload: false, reason: 'x'.repeat(500), score: 0 })).toEqual({
      unload: false,
      reason: 'x'.repeat(200),
      score: 0,
    });
  });

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [Promise.resolve(true), 'no `unload`'],
    [{ unload: 'yes' }, 'no `unload`'],
    [{ unload: true, score: Number.NaN }, '`score`'],
    [{ unload: true, score: 2 }, '`score`'],
    [{ unload: true, reason: 5 }, '`reason`'],
  ])('%j is none', (given, why) => {
    expect(() => strategyAnswer(given)).toThrow(why);
  });
});
