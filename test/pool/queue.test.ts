import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriorityQueue, type Queued } from '../../src/pool/queue.js';

interface Entry extends Queued {
  id: number;
  settled: boolean;
}

describe('PriorityQueue', () => {
  it('is a stable sort by priority, whatever is pushed, pushed to the front, taken or settled in between', () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constantFrom('push' as const, 'pushFront' as const),
        priority: fc.integer({ min: -2, max: 2 }),
      }),
      fc.record({ do: fc.constant('shift' as const), priority: fc.constant(0) }),
      fc.record({ do: fc.constant('settle' as const), which: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new PriorityQueue<Entry>();
        let model: Entry[] = [];
        let id = 0;
        const sorted = () => [...model].sort((a, b) => b.priority - a.priority);
        for (const action of steps) {
          if (action.do === 'push' || action.do === 'pushFront') {
            const entry = { id: ++id, settled: false, priority: action.priority, queuedAt: id };
            queue[action.do](entry);
            model = action.do === 'push' ? [...model, entry] : [entry, ...model];
          } else if (action.do === 'shift') {
            const expected = sorted()[0];
            expect(queue.shift()).toBe(expected);
            model = model.filter((entry) => entry !== expected);
          } else if (action.do === 'settle' && model.length > 0) {
            const entry = model[action.which % model.length] as Entry;
            entry.settled = true;
            queue.left();
            model = model.filter((other) => other !== entry);
          }
          expect(queue.size).toBe(model.length);
          expect(queue.toArray()).toEqual(sorted());
        }
      }),
    );
  });

  it('knows who has waited longest', () => {
    const queue = new PriorityQueue<Entry>();
    const entries = [3, 1, 2].map((queuedAt) => ({ id: queuedAt, settled: false, priority: queuedAt, queuedAt }));
    for (const entry of entries) queue.push(entry);
    expect(queue.oldest()).toBe(1);
    (entries[1] as Entry).settled = true;
    queue.left();
    expect(queue.oldest()).toBe(2);
  });

  it('keeps no more than it holds when clients come and go', () => {
    const queue = new PriorityQueue<Entry>();
    let visited = 0;
    for (let id = 0; id < 10_000; id++) {
      let settled = false;
      queue.push({
        id,
        priority: 0,
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
});
