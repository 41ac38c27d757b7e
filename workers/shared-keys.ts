import { assertNever } from '../src/errors.js';
import type { SharingMessage } from './thread-protocol.js';

/** What the threads are told. Values go from thread to thread and not through here. */
export interface SharingActions {
  /** Its own loader is to run: nobody has the value. */
  load(thread: number, key: string): void;
  /** One passes its value on to the other. */
  give(giver: number, taker: number, key: string): void;
  /** It holds nothing any more; of these keys it was the last to, and others wait until it has disposed of them. */
  left(thread: number, last: string[]): void;
  /** Predictions that it works on: a busy thread gives late. */
  inFlight(thread: number): number;
}

interface Shared {
  /** Loads it, or disposes of the last one. Then nobody holds it. */
  busy: number | null;
  readonly holders: Map<number, 'has' | 'gets'>;
  /** In the order in which they came. */
  readonly waiting: number[];
}

/** Which threads of a host hold which shared values, and whose turn it is to load one. */
export class SharedKeys {
  readonly #shared = new Map<string, Shared>();

  constructor(private readonly actions: SharingActions) {}

  /** Keys that anybody holds, loads or waits for. */
  get size(): number {
    return this.#shared.size;
  }

  received(thread: number, message: SharingMessage): void {
    switch (message.step) {
      case 'want':
        this.#change(message.key, ({ waiting }) => void waiting.push(thread));
        return;
      case 'has':
        this.#change(message.key, (shared) => {
          release(shared, thread);
          shared.holders.set(thread, 'has');
        });
        return;
      case 'frees':
        this.#change(message.key, (shared) => release(shared, thread));
        return;
      case 'missed':
        this.#change(message.key, (shared) => {
          release(shared, thread);
          // It has waited before.
          shared.waiting.unshift(thread);
        });
        return;
      case 'leave':
        this.#leave(thread);
        return;
      default:
        assertNever(message);
    }
  }

  /** It has ended, whatever it was at. */
  gone(thread: number): void {
    for (const key of [...this.#shared.keys()])
      this.#change(key, (shared) => {
        withdraw(shared, thread);
        release(shared, thread);
      });
  }

  #leave(thread: number): void {
    const last: string[] = [];
    for (const key of [...this.#shared.keys()])
      this.#change(key, (shared) => {
        withdraw(shared, thread);
        const had = shared.holders.get(thread) === 'has';
        shared.holders.delete(thread);
        if (!had || shared.holders.size > 0) return;
        shared.busy = thread;
        last.push(key);
      });
    this.actions.left(thread, last);
  }

  #change(key: string, change: (shared: Shared) => void): void {
    let shared = this.#shared.get(key);
    if (!shared) {
      shared = { busy: null, holders: new Map(), waiting: [] };
      this.#shared.set(key, shared);
    }
    change(shared);
    this.#serve(key, shared);
  }

  #serve(key: string, shared: Shared): void {
    const { holders, waiting } = shared;
    if (shared.busy !== null) return;
    const givers = [...holders].filter(([, standing]) => standing === 'has').map(([thread]) => thread);
    if (givers.length > 0) {
      for (const taker of waiting.splice(0)) {
        // It counts as a holder from now on: who gives it may leave before it is there.
        holders.set(taker, 'gets');
        this.actions.give(this.#leastBusy(givers), taker, key);
      }
    } else if (holders.size === 0) {
      const next = waiting.shift();
      if (next === undefined) this.#shared.delete(key);
      else {
        shared.busy = next;
        this.actions.load(next, key);
      }
    }
    // Else somebody is about to have it, or to miss it.
  }

  #leastBusy(threads: readonly number[]): number {
    return threads.reduce((least, thread) =>
      this.actions.inFlight(thread) < this.actions.inFlight(least) ? thread : least,
    );
  }
}

function release(shared: Shared, thread: number): void {
  if (shared.busy === thread) shared.busy = null;
  shared.holders.delete(thread);
}

function withdraw({ waiting }: Shared, thread: number): void {
  const place = waiting.indexOf(thread);
  if (place >= 0) waiting.splice(place, 1);
}
