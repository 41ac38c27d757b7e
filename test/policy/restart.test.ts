import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRestart, type RestartLimits } from '../../src/policy/restart.js';

const limits: RestartLimits = {
  policy: 'always',
  backoffMs: 100,
  maxBackoffMs: 30_000,
  maxRestarts: 10,
  windowMs: 60_000,
};

describe('decideRestart', () => {
  it('restarts at once after a stable run', () => {
    expect(decideRestart({ earlier: 7, readyMs: 60_000, clean: false }, limits, 0.9)).toMatchObject({
      action: 'restart',
      delayMs: 0,
      deaths: 1,
    });
  });

  it('backs off a boot that failed, even the first', () => {
    const { action, delayMs } = decideRestart({ earlier: 0, readyMs: null, clean: false }, limits, 0);
    expect(action).toBe('restart');
    expect(delayMs).toBe(50);
  });

  it('gives up after more deaths than allowed without a stable run between', () => {
    expect(decideRestart({ earlier: 9, readyMs: 10, clean: false }, limits, 0).action).toBe('restart');
    expect(decideRestart({ earlier: 10, readyMs: 10, clean: false }, limits, 0).action).toBe('giveUp');
  });

  it.each([
    ['never', false, 'end'],
    ['never', true, 'end'],
    ['on-failure', true, 'end'],
    ['on-failure', false, 'restart'],
    ['always', true, 'restart'],
  ] as const)('policy %s, clean exit %s: %s', (policy, clean, action) => {
    expect(decideRestart({ earlier: 0, readyMs: 100, clean }, { ...limits, policy }, 0.5).action).toBe(action);
  });

  it('keeps the delay between half of the exponential step and the step, below the ceiling', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (earlier, draw) => {
        const { delayMs, deaths } = decideRestart({ earlier, readyMs: null, clean: false }, limits, draw);
        const step = Math.min(30_000, 100 * 2 ** (deaths - 1));
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(step / 2));
        expect(delayMs).toBeLessThanOrEqual(step);
      }),
    );
  });

  it('ends every crash loop: no sequence of short lives restarts for ever', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(59_999), { minLength: 12, maxLength: 40 }), (lives) => {
        let earlier = 0;
        const actions = lives.map((readyMs) => {
          const decision = decideRestart({ earlier, readyMs, clean: false }, limits, 0.5);
          earlier = decision.deaths;
          return decision.action;
        });
        expect(actions.slice(0, 10).every((a) => a === 'restart')).toBe(true);
        expect(actions.slice(10).every((a) => a === 'giveUp')).toBe(true);
      }),
    );
  });
});
