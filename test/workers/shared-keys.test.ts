import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedKeys } from '../../workers/shared-keys.js';

/** The threads of a host in a single turn each: what they were told, and do when it is their move. */
class Threads {
  readonly keys: SharedKeys;
  /** `thread key` of what is wanted, on its way, held, and loaded or disposed of. */
  readonly wanting = new Set<string>();
  readonly coming = new Set<string>();
  readonly holding = new Set<string>();
  readonly busy = new Set<string>();
  readonly leaving = new Set<number>();
  readonly moves: (() => void)[] = [];

  constructor() {
    this.keys = new SharedKeys({
      load: (thread, key) => {
        expect(anyOf(this.holding, key) || anyOf(this.busy, key)).toBe(false);
        expect(this.wanting.delete(`${thread} ${key}`)).toBe(true);
        this.busy.add(`${thread} ${key}`);
      },
      give: (giver, taker, key) => {
        expect(giver).not.toBe(taker);
        expect(anyOf(this.busy, key)).toBe(false);
        const own = `${taker} ${key}`;
        expect(this.wanting.delete(own)).toBe(true);
        this.coming.add(own);
        this.moves.push(() => {
          if (!this.coming.delete(own)) return;
          if (this.holding.has(`${giver} ${key}`)) this.#has(taker, key);
          else {
            this.wanting.add(own);
            this.keys.received(taker, { type: 'sharing', step: 'missed', key });
          }
        });
      },
      left: (thread, last) => {
        const held = [...this.holding].filter((own) => own.startsWith(`${thread} `));
        drop(this.holding, thread);
        const alone = held.filter((own) => {
          const key = own.split(' ')[1] as string;
          return !anyOf(this.holding, key) && !anyOf(this.coming, key);
        });
        expect(last.map((key) => `${thread} ${key}`).sort()).toEqual(alone.sort());
        for (const own of alone) this.busy.add(own);
      },
      inFlight: (thread) => thread,
    });
  }

  want(thread: number, key: string): void {
    const own = `${thread} ${key}`;
    const has = [this.wanting, this.coming, this.holding, this.busy].some((set) => set.has(own));
    if (has || this.leaving.has(thread)) return;
    this.wanting.add(own);
    this.keys.received(thread, { type: 'sharing', step: 'want', key });
  }

  /** What it is busy with ends. */
  finish(thread: number, key: string, ok: boolean): void {
    if (!this.busy.delete(`${thread} ${key}`)) return;
    if (ok) this.#has(thread, key);
    else this.keys.received(thread, { type: 'sharing', step: 'frees', key });
  }

  leave(thread: number): void {
    if (this.leaving.has(thread)) return;
    this.leaving.add(thread);
    drop(this.wanting, thread);
    this.keys.received(thread, { type: 'sharing', step: 'leave' });
  }

  /** And another one starts under its number. */
  die(thread: number): void {
    this.leaving.delete(thread);
    for (const set of [this.wanting, this.coming, this.holding, this.busy]) drop(set, thread);
    this.keys.gone(thread);
  }

  move(): void {
    this.moves.shift()?.();
  }

  #has(thread: number, key: string): void {
    const leaves = this.leaving.has(thread);
    if (!leaves) this.holding.add(`${thread} ${key}`);
    this.keys.received(thread, { type: 'sharing', step: leaves ? 'frees' : 'has', key });
  }
}

function drop(set: Set<string>, thread: number): void {
  for (const own of [...set]) if (own.startsWith(`${thread} `)) set.delete(own);
}

function anyOf(set: ReadonlySet<string>, key: string): boolean {
  return [...set].some((own) => own.endsWith(` ${key}`));
}

const thread = fc.integer({ min: 1, max: 4 });
const key = fc.constantFrom('a', 'b');
const step = fc.oneof(
  fc.record({ does: fc.constant('want' as const), thread, key }),
  fc.record({ does: fc.constant('want' as const), thread, key }),
  fc.record({ does: fc.constant('finish' as const), thread, key, ok: fc.boolean() }),
  fc.record({ does: fc.constant('leave' as const), thread }),
  fc.record({ does: fc.constant('die' as const), thread }),
  fc.record({ does: fc.constant('move' as const) }),
);

describe('who loads and who holds what threads share', () => {
  it('is one loader at a time, never beside a holder; nobody waits for ever, and nothing is left', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const threads = new Threads();
        for (const each of steps) {
          if (each.does === 'want') threads.want(each.thread, each.key);
          else if (each.does === 'finish') threads.finish(each.thread, each.key, each.ok);
          else if (each.does === 'leave') threads.leave(each.thread);
          else if (each.does === 'die') threads.die(each.thread);
          else threads.move();
        }
        for (let round = 0; threads.busy.size > 0 || threads.moves.length > 0; round++) {
          expect(round).toBeLessThan(100);
          while (threads.moves.length > 0) threads.move();
          for (const own of [...threads.busy]) {
            const [number, name] = own.split(' ');
            threads.finish(Number(number), name as string, true);
          }
        }
        expect([...threads.wanting]).toEqual([]);
        for (const each of [1, 2, 3, 4]) threads.die(each);
        expect(threads.keys.size).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});
