import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VersionDraw } from '../../src/models/version-draw.js';

const weightsOf = fc
  .uniqueArray(fc.tuple(fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5'), fc.integer({ min: 1, max: 100 })), {
    selector: ([version]) => version,
    minLength: 1,
  })
  .map((pairs): Map<string, number> => new Map(pairs));
const users = Array.from({ length: 2000 }, (_, i) => `user-${i}`);

function drawAll(weights: ReadonlyMap<string, number>, able = [...weights.keys()]): Map<string, string> {
  const draw = new VersionDraw(weights, 'v1');
  return new Map(users.map((user) => [user, draw.next(user, able)]));
}

describe('a request that names no version', () => {
  it('goes to the default where there are no weights, and else to the youngest that answers', () => {
    const draw = new VersionDraw(null, 'v2');
    expect(draw.next(null, ['v1', 'v2', 'v3'])).toBe('v2');
    expect(draw.next('anna', ['v1', 'v2', 'v3'])).toBe('v2');
    expect(draw.next(null, ['v1', 'v3'])).toBe('v3');
    expect(draw.next(null, [])).toBe('v2');
  });

  it('never goes to a version of weight 0, unless that is the default and no other answers', () => {
    const draw = new VersionDraw(new Map(Object.entries({ v1: 0, v2: 90, v3: 10 })), 'v2');
    for (let i = 0; i < 300; i++) expect(draw.next(null, ['v1', 'v2', 'v3'])).not.toBe('v1');
    expect(draw.next(null, ['v1'])).toBe('v2');
  });

  it('goes by turns to each version: at any time the shares are right to within one', () => {
    fc.assert(
      fc.property(weightsOf, fc.integer({ min: 1, max: 400 }), (weights, requests) => {
        const draw = new VersionDraw(weights, 'v1');
        const total = [...weights.values()].reduce((a, b) => a + b, 0);
        const counts = new Map<string, number>([...weights.keys()].map((version) => [version, 0]));
        let furthest = 0;
        for (let i = 1; i <= requests; i++) {
          const version = draw.next(null, [...weights.keys()]);
          counts.set(version, (counts.get(version) ?? 0) + 1);
          for (const [name, weight] of weights)
            furthest = Math.max(furthest, Math.abs((counts.get(name) ?? 0) - (i * weight) / total));
        }
        expect(furthest).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 300, examples: [[new Map(Object.entries({ v5: 59, v3: 1, v2: 1, v1: 78, v4: 8 })), 70]] },
    );
  });

  it('goes to those that answer, in the shares that are left', () => {
    const weights = new Map(Object.entries({ v1: 60, v2: 30, v3: 10 }));
    const draw = new VersionDraw(weights, 'v1');
    const drawn = Array.from({ length: 400 }, () => draw.next(null, ['v2', 'v3']));
    expect(drawn.filter((version) => version === 'v2')).toHaveLength(300);
    expect(drawn.filter((version) => version === 'v3')).toHaveLength(100);
  });

  it('gives a user the same version each time, and users the shares of the weights', () => {
    const weights = new Map(Object.entries({ v1: 90, v2: 10 }));
    const first = drawAll(weights);
    expect(drawAll(weights)).toEqual(first);
    const canary = [...first.values()].filter((version) => version === 'v2').length / users.length;
    expect(canary).toBeGreaterThan(0.07);
    expect(canary).toBeLessThan(0.13);
  });

  it('moves only those users that a version loses or gets', () => {
    fc.assert(
      fc.property(weightsOf, fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5'), (weights, gone) => {
        const left = new Map(weights);
        left.delete(gone);
        if (left.size === 0) return;
        const [before, after] = [drawAll(weights), drawAll(left)];
        for (const user of users) if (before.get(user) !== gone) expect(after.get(user)).toBe(before.get(user));
        // One that does not answer is as good as gone, and gets its users back.
        expect(drawAll(weights, [...left.keys()])).toEqual(after);
      }),
      { numRuns: 30 },
    );
  });
});
