import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  recommendUnloading,
  type UnloadAdvice,
  type UnloadAdviceFacts,
  type UnloadedModel,
} from '../../../src/policy/unload/recommendations.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const NO_CAUSES = { pressure: 0, pattern: 0, preference: 0, adaptive: 0, room: 0, emergency: 0, manual: 0 };

type Parts = Partial<Omit<UnloadAdviceFacts, 'totals'>> & { totals?: Partial<UnloadAdviceFacts['totals']> };

/** A box on which all is well, after ten unloadings in two hours. */
function facts({ totals, ...rest }: Parts = {}): UnloadAdviceFacts {
  return {
    observedSeconds: 7200,
    minSavingsBytes: MIB,
    models: [model('a'), model('b')],
    box: { usedBytes: GIB, limitBytes: 4 * GIB },
    refused: { pinned: 0, young: 0 },
    ...rest,
    totals: {
      total: 10,
      succeeded: 10,
      failed: 0,
      freedBytes: 500 * MIB,
      regretted: 0,
      byCause: { ...NO_CAUSES, pattern: 10 },
      ...totals,
    },
  };
}

function model(name: string, parts: Partial<UnloadedModel> = {}): UnloadedModel {
  return {
    name,
    loaded: true,
    pinned: false,
    bytes: 50 * MIB,
    unusedSeconds: 10,
    regretted: 0,
    idleUnloads: 2,
    ...parts,
  };
}

function only(parts: Parts): UnloadAdvice {
  const advice = recommendUnloading(facts(parts));
  expect(advice).toHaveLength(1);
  return advice[0]!;
}

describe('recommendations about unloading', () => {
  it('are none when all is well, and none of what is not known', () => {
    expect(recommendUnloading(facts())).toEqual([]);
    expect(recommendUnloading(facts({ models: [], box: { usedBytes: null, limitBytes: null } }))).toEqual([]);
    const nothing = { total: 0, succeeded: 0, freedBytes: 0, byCause: NO_CAUSES };
    expect(recommendUnloading(facts({ observedSeconds: 0, totals: nothing }))).toEqual([]);
  });

  it('are none after one unloading, however bad', () => {
    const one = {
      total: 1,
      succeeded: 0,
      failed: 1,
      freedBytes: 0,
      regretted: 1,
      byCause: { ...NO_CAUSES, pattern: 1 },
    };
    const models = [model('a', { idleUnloads: 1, regretted: 1 })];
    expect(recommendUnloading(facts({ totals: one, models, refused: { pinned: 1, young: 1 } }))).toEqual([]);
  });

  it('look at dependencies and order where many fail', () => {
    expect(only({ totals: { succeeded: 7, failed: 3 } })).toMatchObject({
      type: 'warning',
      message: 'Low unload success rate',
      suggestion: expect.stringMatching(/dependencies and unload order/),
      priority: 'medium',
      numbers: { unloads: 10, failed: 3, success_rate: 0.7 },
    });
    expect(only({ totals: { succeeded: 4, failed: 6 } }).priority).toBe('high');
    expect(recommendUnloading(facts({ totals: { succeeded: 8, failed: 2 } }))).toEqual([]);
    expect(recommendUnloading(facts({ totals: { total: 4, succeeded: 0, failed: 4, freedBytes: 0 } }))).toEqual([]);
  });

  it('look at the threshold where little is saved', () => {
    expect(only({ totals: { freedBytes: 5 * MIB } })).toMatchObject({
      type: 'info',
      message: 'Low memory savings',
      suggestion: expect.stringMatching(/minimum savings threshold.*frees 512KiB on average/),
      priority: 'low',
      numbers: { unloads: 10, average_freed_bytes: MIB / 2, min_memory_savings_bytes: MIB },
    });
    // Without measurement nothing is known of savings.
    expect(recommendUnloading(facts({ totals: { freedBytes: 0 } }))).toEqual([]);
  });

  it('ask for another strategy where models go and come again and again', () => {
    const models = [model('a', { idleUnloads: 6 }), model('b', { idleUnloads: 4 }), model('c', { idleUnloads: 0 })];
    expect(only({ models, observedSeconds: 3600 })).toEqual({
      type: 'info',
      message: 'High unload frequency detected',
      suggestion: 'Consider using more conservative unloading strategy',
      priority: 'medium',
      numbers: { unloads: 10, models: 2, again_per_model_and_hour: 4, observed_seconds: 3600 },
    });
    expect(recommendUnloading(facts({ models, observedSeconds: 7200 }))).toEqual([]);
    expect(recommendUnloading(facts({ models, observedSeconds: 200 }))).toEqual([]);
    // Each goes once, right at the start.
    const once = Array.from({ length: 50 }, (_, i) => model(`m${i}`, { idleUnloads: 1 }));
    expect(recommendUnloading(facts({ models: once, observedSeconds: 600 }))).toEqual([]);
  });

  it('keep what had to be loaded again soon', () => {
    const models = [model('a', { regretted: 1 }), model('b', { regretted: 2 })];
    expect(only({ models, totals: { regretted: 3 } })).toMatchObject({
      type: 'warning',
      message: 'High reload frequency detected',
      suggestion: expect.stringMatching(/more conservative strategy.*supervisor pin b/),
      priority: 'medium',
      numbers: { unloads: 10, reloaded_soon: 3, reload_rate: 0.3, most_often: 'b', for_memory: 0 },
    });
    expect(only({ models, totals: { regretted: 5 } }).priority).toBe('high');
    expect(recommendUnloading(facts({ models, totals: { regretted: 1 } }))).toEqual([]);
    // What people unload by hand says nothing of policies.
    const byCause = { ...NO_CAUSES, manual: 7, pattern: 3 };
    expect(recommendUnloading(facts({ models, totals: { regretted: 3, byCause } }))).toEqual([]);
  });

  it('ask for memory where models had to go for want of it', () => {
    const byCause = { ...NO_CAUSES, pressure: 3, room: 3, pattern: 4 };
    expect(only({ totals: { regretted: 4, byCause } }).suggestion).toMatch(/limits\.memory/);
  });

  it('name the pins that starve others', () => {
    const models = [
      model('a', { pinned: true, bytes: 2 * GIB }),
      model('b', { pinned: true, bytes: GIB }),
      model('c', { unusedSeconds: null }),
    ];
    expect(only({ models, box: { usedBytes: 3 * GIB, limitBytes: 4 * GIB } })).toMatchObject({
      type: 'warning',
      message: 'Pinned models leave no room for others',
      suggestion: expect.stringMatching(/supervisor unpin a/),
      priority: 'medium',
      numbers: { refused_loads: 0, pinned_models: 2, pinned_bytes: 3 * GIB, limit_bytes: 4 * GIB, pinned_share: 0.75 },
    });
    expect(only({ models, refused: { pinned: 3, young: 0 } }).priority).toBe('high');
    const unknown = { usedBytes: null, limitBytes: null };
    expect(only({ models, box: unknown, refused: { pinned: 3, young: 0 } }).numbers.pinned_share).toBeNull();
    // Nobody is there to starve; or they are pinned in name only.
    expect(recommendUnloading(facts({ models: models.slice(0, 2) }))).toEqual([]);
    expect(recommendUnloading(facts({ models: models.map((each) => ({ ...each, loaded: false })) }))).toEqual([]);
  });

  it('say by how much the budget is too small', () => {
    const models = [
      model('a', { bytes: 2 * GIB }),
      model('b', { bytes: 1.5 * GIB, loaded: false }),
      model('c', { bytes: GIB, unusedSeconds: 3600 }),
    ];
    // 2 GiB and 1.5 GiB are in use, and 1 GiB is used by what is no model.
    expect(only({ models, box: { usedBytes: 4 * GIB, limitBytes: 4 * GIB } })).toMatchObject({
      type: 'warning',
      message: 'The memory budget is too small for the models in use',
      suggestion: expect.stringMatching(/limits\.memory to 4\.5GiB/),
      priority: 'medium',
      numbers: { models_in_use: 2, needed_bytes: 4.5 * GIB, limit_bytes: 4 * GIB, refused_loads: 0 },
    });
    expect(recommendUnloading(facts({ models, box: { usedBytes: 4 * GIB, limitBytes: 5 * GIB } }))).toEqual([]);
    expect(only({ refused: { pinned: 0, young: 3 } })).toMatchObject({
      suggestion: expect.stringMatching(/min_residency/),
      priority: 'high',
    });
  });

  it('come with the most urgent first, and numbers that are numbers, of any facts', () => {
    const bytes = fc.option(fc.integer({ min: 0, max: 8 * GIB }), { nil: null });
    const few = fc.nat(40);
    const causes = fc.record({
      pressure: few,
      pattern: few,
      preference: few,
      adaptive: few,
      room: few,
      emergency: few,
      manual: few,
    });
    const anyFacts = fc.record({
      observedSeconds: fc.double({ min: 0, max: 1e7, noNaN: true }),
      minSavingsBytes: fc.nat(GIB),
      totals: fc.record({
        total: few,
        succeeded: few,
        failed: few,
        freedBytes: fc.nat(GIB),
        regretted: few,
        byCause: causes,
      }),
      models: fc.array(
        fc.record({
          name: fc.string(),
          loaded: fc.boolean(),
          pinned: fc.boolean(),
          bytes,
          unusedSeconds: fc.option(fc.nat(10_000), { nil: null }),
          regretted: few,
          idleUnloads: few,
        }),
      ),
      box: fc.record({ usedBytes: bytes, limitBytes: bytes }),
      refused: fc.record({ pinned: few, young: few }),
    });
    const urgency = { high: 0, medium: 1, low: 2 };
    fc.assert(
      fc.property(anyFacts, (given) => {
        const advice = recommendUnloading(given);
        const order = advice.map(({ priority }) => urgency[priority]);
        expect(order).toEqual([...order].sort());
        for (const { numbers, message, suggestion } of advice) {
          expect(message).not.toBe('');
          expect(suggestion).not.toMatch(/NaN|Infinity/);
          for (const value of Object.values(numbers))
            if (typeof value === 'number') expect(value).toSatisfy(Number.isFinite);
        }
      }),
      { numRuns: 500 },
    );
  });
});
