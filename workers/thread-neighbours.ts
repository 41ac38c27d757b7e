import type { MessagePort } from 'node:worker_threads';
import { assertNever, messageOf } from '../src/errors.js';
import type { Neighbours } from './model-shares.js';
import type { SharingMessage, SharingNote } from './thread-protocol.js';

/** What one thread sends to the other. */
type Gift = { ok: true; value: unknown } | { ok: false; message: string };

interface Wanting {
  resolve(given: { value: unknown } | null): void;
  reject(error: Error): void;
}

/** The other threads of a host, as one of them sees them. Values come straight from the thread that has them, as structured clones. */
export class ThreadNeighbours implements Neighbours {
  readonly #values = new Map<string, unknown>();
  readonly #wanting = new Map<string, Wanting>();
  #onLeft: ((last: readonly string[]) => void) | null = null;

  constructor(private readonly post: (message: SharingMessage) => void) {}

  want(key: string): Promise<{ value: unknown } | null> {
    return new Promise((resolve, reject) => {
      this.#wanting.set(key, { resolve, reject });
      this.#say('want', key);
    });
  }

  has(key: string, value: unknown): void {
    // What comes after it has left must not be asked of it any more.
    if (this.#onLeft) {
      this.#say('frees', key);
      return;
    }
    this.#values.set(key, value);
    this.#say('has', key);
  }

  frees(key: string): void {
    this.#values.delete(key);
    this.#say('frees', key);
  }

  leave(): Promise<readonly string[]> {
    return new Promise((resolve) => {
      this.#onLeft = resolve;
      this.post({ type: 'sharing', step: 'leave' });
    });
  }

  received(note: SharingNote): void {
    switch (note.step) {
      case 'load':
        this.#settle(note.key, ({ resolve }) => resolve(null));
        return;
      case 'take':
        this.#take(note.key, note.port);
        return;
      case 'give':
        this.#give(note.key, note.port);
        return;
      case 'left':
        this.#values.clear();
        this.#onLeft?.(note.last);
        return;
      default:
        assertNever(note);
    }
  }

  #take(key: string, port: MessagePort): void {
    let over = false;
    const end = (then: () => void) => {
      if (over) return;
      over = true;
      then();
      port.close();
    };
    const fail = (why: string) =>
      end(() => {
        this.#say('frees', key);
        this.#settle(key, ({ reject }) => reject(notPassed(key, why)));
      });
    port.once('message', (gift: Gift) => {
      if (!gift.ok) fail(gift.message);
      else
        end(() => {
          this.has(key, gift.value);
          this.#settle(key, ({ resolve }) => resolve({ value: gift.value }));
        });
    });
    port.once('messageerror', (error) => fail(messageOf(error)));
    // The thread that was to give it has ended.
    port.once('close', () => end(() => this.#say('missed', key)));
  }

  #give(key: string, port: MessagePort): void {
    // Who takes it closes the port, when it has read it; closed from here, the port says that there is nothing to take.
    if (!this.#values.has(key)) port.close();
    else
      try {
        send(port, { ok: true, value: this.#values.get(key) });
      } catch (error) {
        send(port, { ok: false, message: messageOf(error) });
      }
  }

  #settle(key: string, settle: (wanting: Wanting) => void): void {
    const wanting = this.#wanting.get(key);
    this.#wanting.delete(key);
    if (wanting) settle(wanting);
  }

  #say(step: 'want' | 'has' | 'frees' | 'missed', key: string): void {
    this.post({ type: 'sharing', step, key });
  }
}

function send(port: MessagePort, gift: Gift): void {
  port.postMessage(gift);
}

function notPassed(key: string, why: string): Error {
  return new Error(
    `ctx.share('${key}'): its value can't pass from one thread to another (${why}); share plain data, typed arrays or a SharedArrayBuffer, and make what has functions of it in each worker; or use isolation: process`,
  );
}
