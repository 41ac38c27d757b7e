import { WindowMaximum, WindowMinimum } from './window.js';

/** A rise within this time is a jump: the cooldown lets the pool answer it with one growth, or two. */
const JUMP_MS = 15_000;
const MEMORY_MS = 60 * 60_000;

/** By how much the load has jumped lately, at most. */
export class JumpMemory {
  readonly #low = new WindowMinimum();
  readonly #rises = new WindowMaximum();

  /** @returns the largest jump of the last hour, in the units of `load` */
  see(load: number, now: number): number {
    this.#low.add(load, now);
    this.#low.forget(JUMP_MS, now);
    this.#rises.add(load - (this.#low.over(JUMP_MS, now) ?? load), now);
    this.#rises.forget(MEMORY_MS, now);
    return this.#rises.over(MEMORY_MS, now) ?? 0;
  }
}
