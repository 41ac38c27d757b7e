import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Ask, ClosedLoop } from '../../src/sizing/closed-loop.js';

/** Questions that stay open until they are answered by hand. */
class Desk {
  readonly turns: number[] = [];
  #open: ((error: string | null) => void)[] = [];

  readonly ask: Ask = (turn) => {
    this.turns.push(turn);
    return new Promise((resolve) => this.#open.push(resolve));
  };

  /** Answers all that is open. */
  async answer(error: string | null = null): Promise<void> {
    for (const resolve of this.#open.splice(0)) resolve(error);
    await sleep(0);
  }

  get waiting(): number {
    return this.#open.length;
  }
}

describe('ClosedLoop', () => {
  it('each client asks again when it is answered, and not before', async () => {
    const desk = new Desk();
    const loop = new ClosedLoop(desk.ask, 3);
    expect(desk.turns).toEqual([0, 1, 2]);
    await sleep(20);
    expect(desk.turns).toHaveLength(3);
    await desk.answer();
    expect(desk.turns).toEqual([0, 1, 2, 3, 4, 5]);
    const stopped = loop.stop();
    await desk.answer();
    await stopped;
    expect([desk.turns.length, desk.waiting]).toEqual([6, 0]);
  });

  it('counts what comes back between open and close', async () => {
    const desk = new Desk();
    const loop = new ClosedLoop(desk.ask, 2);
    await desk.answer();
    loop.open();
    expect(loop.answered).toBe(false);
    await sleep(30);
    await desk.answer();
    await desk.answer();
    expect(loop.answered).toBe(true);
    const { answers, errors, p50Ms, p99Ms, seconds } = loop.close();
    expect([answers, errors]).toEqual([4, 0]);
    expect(seconds).toBeGreaterThan(0.025);
    // Two of the four were asked before the wait.
    expect(p99Ms).toBeGreaterThan(25);
    expect(p50Ms).toBeLessThan(p99Ms as number);
    const stopped = loop.stop();
    await desk.answer();
    await stopped;
  });

  it('keeps errors apart: they have no latency, and the first of them is told', async () => {
    let turn = 0;
    const errors = ['first', 'second'];
    const loop = new ClosedLoop(async () => {
      await sleep(1);
      const error = errors[turn++];
      if (error === 'second') throw new Error(error);
      return error ?? null;
    }, 1);
    loop.open();
    while (turn < 5) await sleep(5);
    await loop.stop();
    expect(loop.close()).toMatchObject({ answers: turn - 2, errors: 2, firstError: 'first' });
  });

  it('leaves the event loop its time where every request is refused at once', async () => {
    const loop = new ClosedLoop(() => Promise.reject(new Error('full')), 100);
    loop.open();
    await sleep(50);
    await loop.stop();
    const { answers, errors, firstError, p50Ms } = loop.close();
    expect({ answers, firstError, p50Ms }).toEqual({ answers: 0, firstError: 'full', p50Ms: null });
    expect(errors).toBeGreaterThanOrEqual(100);
  });
});
