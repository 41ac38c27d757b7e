import { describe, expect, it } from 'vitest';
import { IdleModel, IdleModels } from '../support/idle-model.js';

const MINUTE = 60_000;
const MIB = 1024 ** 2;

/** So many models that were used once, long ago, the first one worth least. */
function idle(count: number, box = new IdleModels()): { box: IdleModels; models: IdleModel[] } {
  const models = Array.from({ length: count }, (_, i) => Object.assign(new IdleModel(`m${i}`, box), { keepValue: i }));
  for (const model of models) model.request();
  return { box, models };
}

describe('a cycle', () => {
  it('unloads max_per_cycle models, and the next ones check_interval later', () => {
    const { box } = idle(7);
    box.unloading = { ...box.unloading, maxPerCycle: 3 };
    box.pass(15 * MINUTE);
    expect(box.acts.map((act) => act.split(' ')[0])).toEqual(['m0', 'm1', 'm2']);
    box.pass(MINUTE - 1000);
    expect(box.acts).toHaveLength(3);
    box.pass(1000);
    expect(box.acts).toHaveLength(6);
    box.pass(MINUTE);
    expect(box.acts).toHaveLength(7);
    expect(new Set(box.labels)).toEqual(new Set(['Usage pattern unloading (balanced)']));
  });

  it('waits for what it unloaded for pressure before it unloads more, and runs on while memory is urgent', () => {
    const { box } = idle(4);
    box.pass(2 * MINUTE);
    box.unloading = { ...box.unloading, maxPerCycle: 2 };
    Object.assign(box, { pressure: 'critical', usedShare: 0.9 });
    box.tick();
    expect(box.acts).toHaveLength(1);
    box.settled = false;
    box.pass(5000);
    expect(box.acts).toHaveLength(1);
    box.settled = true;
    box.tick();
    expect(box.acts).toHaveLength(2);
    // Two are a cycle; the next begins at once.
    box.tick();
    expect(box.acts).toHaveLength(3);
    box.pressure = 'low';
    box.pass(5000);
    expect(box.acts).toHaveLength(3);
    expect(new Set(box.labels)).toEqual(new Set(['Memory pressure unloading (critical)']));
  });

  it('at high pressure trims first, once in each idle time, and waits until that is measured', () => {
    const { box, models } = idle(1);
    box.pass(2 * MINUTE);
    Object.assign(box, { pressure: 'high', usedShare: 0.75 });
    box.tick();
    expect(box.acts).toEqual(['trim']);
    box.tick();
    expect(box.acts).toEqual(['trim']);
    box.settled = true;
    box.tick();
    expect(box.acts).toEqual(['trim', expect.stringContaining('unload: idle, and memory pressure is high')]);
    models[0]!.request();
    box.pass(MINUTE);
    expect(box.acts.slice(2)).toEqual(['trim']);
  });

  it('lets nobody wait whose time is exact', () => {
    const { box, models } = idle(3);
    box.unloading = { ...box.unloading, maxPerCycle: 1 };
    for (const model of models) model.toZeroAfterMs = 5000;
    box.pass(5000);
    expect(box.acts).toHaveLength(3);
    expect(box.labels[0]).toBe('Usage pattern unloading (to_zero_after)');
  });
});

describe('who stays', () => {
  it('a pinned one, for ever; a young one, for min_residency; one that is needed, until nobody needs it', () => {
    const { box, models } = idle(3);
    const [pinned, young, needed] = models as [IdleModel, IdleModel, IdleModel];
    const needing = new IdleModel('needing', box);
    needing.requires = ['m2'];
    needing.busy = true;
    pinned.preference = 'keep';
    needed.preference = 'evict';
    box.pass(20 * MINUTE);
    expect(box.acts.map((act) => act.split(' ')[0])).toEqual(['m1']);
    young.load();
    box.pressure = 'critical';
    box.pass(MINUTE - 1000);
    expect(box.acts).toHaveLength(1);
    box.pass(1000);
    expect(box.acts).toHaveLength(2);
    needing.busy = false;
    needing.loaded = false;
    box.tick();
    expect(box.acts.at(-1)).toContain('m2 unload: idle, and its preference is evict');
    box.pass(60 * MINUTE);
    expect(pinned.loaded).toBe(true);
  });

  it('one that saves too little', () => {
    const { box, models } = idle(1);
    models[0]!.bytes = MIB / 2;
    box.pass(60 * MINUTE);
    expect(box.acts).toEqual([]);
    expect(box.unloader.look(models.map(({ model }) => model)).decision.kept.get('m0@v1')).toBe('it saves too little');
  });
});

describe('an adaptive strategy', () => {
  it('goes by a more aggressive time under pressure, and says so', () => {
    const { box } = idle(1);
    box.pressure = 'medium';
    box.pass(5 * MINUTE);
    expect(box.labels).toEqual(['Adaptive unloading (aggressive)']);
  });

  it('keeps what had to be loaded again soon for longer', () => {
    const { box, models } = idle(1);
    models[0]!.patience = 4;
    box.pass(59 * MINUTE);
    expect(box.acts).toEqual([]);
    box.pass(MINUTE);
    expect(box.labels).toEqual(['Usage pattern unloading (balanced)']);
  });

  it('is not so where it is switched off', () => {
    const { box, models } = idle(1);
    box.unloading = { ...box.unloading, adaptive: false };
    box.pressure = 'medium';
    models[0]!.patience = 8;
    box.pass(15 * MINUTE - 1000);
    expect(box.acts).toEqual([]);
    box.pass(1000);
    expect(box.labels).toEqual(['Usage pattern unloading (balanced)']);
  });
});

describe('a strategy of its own', () => {
  it('of a model counts before that of the box', () => {
    const { box, models } = idle(2);
    models[1]!.strategy = 'aggressive';
    box.pass(5 * MINUTE);
    expect(box.acts.map((act) => act.split(' ')[0])).toEqual(['m1']);
    expect(box.labels).toEqual(['Usage pattern unloading (aggressive)']);
  });

  it('that a plug-in has registered decides by what it is told', () => {
    const { box, models } = idle(2);
    box.strategies.register('small', ({ memoryBytes, idleSeconds }) => ({
      unload: (memoryBytes ?? 0) < 100 * MIB && idleSeconds >= 90,
      reason: 'it is small',
    }));
    box.unloading = { ...box.unloading, strategy: 'small' };
    models[1]!.bytes = 50 * MIB;
    box.pass(89_000);
    expect(box.acts).toEqual([]);
    box.pass(1000);
    expect(box.acts).toEqual(['m1 unload: by its strategy small: it is small']);
    expect(box.labels).toEqual(['Usage pattern unloading (small)']);
    box.pass(60 * MINUTE);
    expect(box.acts).toHaveLength(1);
  });

  it.each([
    ['answers nonsense', () => 'yes'],
    ['is async', async () => ({ unload: true })],
    [
      'is async and rejects',
      async () => {
        throw new Error('no idea');
      },
    ],
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
    ],
  ])('that %s is followed by balanced, with one warning', (_, strategy) => {
    const { box } = idle(1);
    box.strategies.register('odd', strategy);
    box.unloading = { ...box.unloading, strategy: 'odd' };
    box.pass(15 * MINUTE);
    expect(box.labels).toEqual(['Usage pattern unloading (balanced)']);
    expect(box.warnings).toEqual([expect.stringMatching(/^strategy 'odd': .*; balanced is followed instead$/)]);
  });

  it('that nobody has registered is followed by balanced, too', () => {
    const { box } = idle(1);
    box.unloading = { ...box.unloading, strategy: 'missing' };
    box.pass(15 * MINUTE);
    expect(box.acts).toHaveLength(1);
    expect(box.warnings).toEqual([expect.stringContaining("no strategy 'missing'")]);
  });
});
