import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriorityQueue, type Queued } from '../../src/pool/queue.js';

interface Entry extends Queued {
  id: number;
  settled: boolean;
}

/** The same queue, without any thought of speed. */
class PlainQueue {
  /** Each priority's entries in their order. */
  readonly levels = new Map<number, Entry[]>();

  constructor(public ageingMs: number) {}

  get all(): Entry[] {
    return [...this.levels.values()].flat();
  }

  add(entry: Entry, where: 'push' | 'unshift'): void {
    const level = this.levels.get(entry.priority) ?? [];
    level[where](entry);
    this.levels.set(entry.priority, level);
  }

  remove(entry: Entry | undefined): void {
    for (const [priority, level] of this.levels)
      this.levels.set(
        priority,
        level.filter((other) => other !== entry),
      );
  }

  heads(): Entry[] {
    return [...this.levels.values()].flatMap(([head]) => (head ? [head] : []));
  }

  next(): Entry | undefined {
    const rank = (e: Entry) => e.priority - (this.ageingMs > 0 ? e.queuedAt / this.ageingMs : 0);
    return this.heads().sort((a, b) => rank(b) - rank(a) || b.priority - a.priority)[0];
  }

  lowest(): Entry[] {
    const filled = [...this.levels].filter(([, level]) => level.length > 0);
    return filled.sort(([a], [b]) => a - b)[0]?.[1] ?? [];
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('push' as const, 'pushFront' as const),
      priority: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.double({ noNaN: true })),
      after: fc.nat(40),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('shift' as const, 'pop' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('age' as const), ageingMs: fc.constantFrom(0, 1, 10, 1000) }) },
);

describe('PriorityQueue', () => {
  it('answers as a plain one does, whatever is pushed, taken, settled or configured in between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.constantFrom(0, 10, 100), (steps, ageingMs) => {
        const queue = new PriorityQueue<Entry>(ageingMs);
        const plain = new PlainQueue(ageingMs);
        let id = 0;
        let now = 0;
        for (const action of steps) {
          switch (action.do) {
            case 'push':
            case 'pushFront': {
              now += action.after;
              const entry = { id: ++id, settled: false, priority: action.priority, queuedAt: now };
              queue[action.do](entry);
              plain.add(entry, action.do === 'push' ? 'push' : 'unshift');
              break;
            }
            case 'shift': {
              const expected = plain.next();
              expect(queue.shift()).toBe(expected);
              plain.remove(expected);
              break;
            }
            case 'pop': {
              const expected = plain.lowest().at(-1);
              expect(queue.pop()).toBe(expected);
              plain.remove(expected);
              break;
            }
            case 'settle': {
              const { all } = plain;
              const entry = all[action.which % Math.max(1, all.length)];
              if (!entry) break;
              entry.settled = true;
              queue.left();
              plain.remove(entry);
              break;
            }
            case 'age':
              queue.ageingMs = plain.ageingMs = action.ageingMs;
          }
          expect(queue.size).toBe(plain.all.length);
          expect(queue.neediest()).toBe(plain.lowest()[0]);
          expect(new Set(queue.toArray())).toEqual(new Set(plain.all));
          const heads = plain.heads().map((head) => head.queuedAt);
          expect(queue.oldest()).toBe(heads.length === 0 ? null : Math.min(...heads));
        }
        for (let next = plain.next(); next; next = plain.next()) {
          expect(queue.shift()).toBe(next);
          plain.remove(next);
        }
        expect(queue.shift()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('lets nobody starve: a rival that outranks it by n has to come within n times the ageing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }), (lead, ageingMs) => {
        const queue = new PriorityQueue<Entry>(ageingMs);
        const low = { id: 0, settled: false, priority: 0, queuedAt: 0 };
        queue.push(low);
        // One comes and one leaves each millisecond: without ageing the first would wait for ever.
        let now = 0;
        for (let taken = null; taken !== low; now++) {
          queue.push({ id: now + 1, settled: false, priority: lead, queuedAt: now });
          taken = queue.shift() as Entry;
          expect(now).toBeLessThanOrEqual(lead * ageingMs + 1);
        }
        expect(now).toBeGreaterThan(lead * ageingMs - 1);
      }),
    );
  });

  it('keeps to strict priorities where nobody ages', () => {
    const queue = new PriorityQueue<Entry>(0);
    const low = { id: 0, settled: false, priority: 0, queuedAt: 0 };
    queue.push(low);
    for (let now = 0; now < 1000; now++) {
      queue.push({ id: now + 1, settled: false, priority: 1, queuedAt: now * 1000 });
      expect(queue.shift()).not.toBe(low);
    }
  });

  it('keeps no more than it holds when clients come and go', () => {
    const queue = new PriorityQueue<Entry>();
    let visited = 0;
    for (let id = 0; id < 10_000; id++) {
      let settled = false;
      queue.push({
        id,
        priority: id % 7,
        queuedAt: id,
        get settled() {
          visited++;
          return settled;
        },
      } as Entry);
      settled = true;
      queue.left();
    }
    visited = 0;
    expect(queue.shift()).toBeUndefined();
    expect(visited).toBeLessThan(100);
  });

  it('looks at a few of them at each step where each of 10,000 inputs has a priority of its own', () => {
    const inputs = 10_000;
    let looks = 0;
    class Watched implements Queued {
      readonly settled = false;
      readonly queuedAt = 0;
      constructor(private readonly own: number) {}
      get priority(): number {
        looks++;
        return this.own;
      }
    }
    const queue = new PriorityQueue<Watched>(1000);
    for (let id = 0; id < inputs; id++) queue.push(new Watched((id * 7919) % 10_007));
    let before = Number.POSITIVE_INFINITY;
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      if (entry.priority >= before) throw new Error(`${entry.priority} after ${before}`);
      before = entry.priority;
    }
    expect(looks).toBeLessThan(10 * inputs * Math.log2(inputs));
  });
});
