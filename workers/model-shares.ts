import type { ShareOptions } from '../src/define-model.js';
import { messageOf } from '../src/errors.js';
import { log } from './model-log.js';

/** The neighbours of a model: those that may have what it wants to share, and to whom it gives it. */
export interface Neighbours {
  /** The value of a neighbour. Null: nobody has it, and the own loader is to run; then `has` or `frees` is due. @throws where it can't be passed on */
  want(key: string): Promise<{ value: unknown } | null>;
  has(key: string, value: unknown): void;
  frees(key: string): void;
  /** Lets go of all. Resolves with the keys that nobody else holds; `frees` is due for each. */
  leave(): Promise<readonly string[]>;
}

interface Held {
  readonly value: Promise<unknown>;
  readonly dispose: ((value: never) => unknown) | undefined;
}

/** What one model shares through `ctx.share`. */
export class Shares {
  readonly #held = new Map<string, Held>();

  constructor(private readonly neighbours: Neighbours) {}

  async share<T>(key: string, loader: () => T | Promise<T>, { dispose }: ShareOptions<T> = {}): Promise<T> {
    if (typeof key !== 'string' || key === '') throw new TypeError('ctx.share: the key must be a text');
    if (typeof loader !== 'function') throw new TypeError(`ctx.share('${key}'): the loader must be a function`);
    for (;;) {
      const held = this.#held.get(key);
      if (!held) return this.#take(key, loader, dispose);
      try {
        return (await held.value) as T;
      } catch {
        // That was the loader of another call; now it is this one's turn.
      }
    }
  }

  /** Disposes of what nobody else holds, the last taken first. Answers with a line for each that failed. */
  async leave(): Promise<string[]> {
    const errors: string[] = [];
    if (this.#held.size === 0) return errors;
    const last = new Set(await this.neighbours.leave());
    for (const [key, { value, dispose }] of [...this.#held].reverse()) {
      if (!last.has(key)) continue;
      try {
        await dispose?.((await value) as never);
      } catch (error) {
        log.error(`disposing of ${key} failed:`, error);
        errors.push(`disposing of ${key} failed: ${messageOf(error)}`);
      }
      this.neighbours.frees(key);
    }
    this.#held.clear();
    return errors;
  }

  #take<T>(key: string, loader: () => T | Promise<T>, dispose: ShareOptions<T>['dispose']): Promise<T> {
    const value = this.#fetch(key, loader);
    const held: Held = { value, dispose };
    this.#held.set(key, held);
    // Before those that wait for it here learn of it: the first of them finds nothing, and tries itself.
    value.catch(() => {
      if (this.#held.get(key) === held) this.#held.delete(key);
    });
    return value;
  }

  async #fetch<T>(key: string, loader: () => T | Promise<T>): Promise<T> {
    const given = await this.neighbours.want(key);
    if (given) return given.value as T;
    try {
      const value = await loader();
      this.neighbours.has(key, value);
      return value;
    } catch (error) {
      this.neighbours.frees(key);
      throw error;
    }
  }
}

/** Of a model that has its process to itself. */
export class NoNeighbours implements Neighbours {
  readonly #keys = new Set<string>();

  async want(): Promise<null> {
    return null;
  }

  has(key: string): void {
    this.#keys.add(key);
  }

  frees(key: string): void {
    this.#keys.delete(key);
  }

  async leave(): Promise<string[]> {
    return [...this.#keys];
  }
}
