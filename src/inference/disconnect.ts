/**
 * One signal for each connection, set off when it closes. Not one for each request: on Node 20 an AbortController, its signal and
 * a listener cost about 4 µs, a tenth of what a whole prediction may take here. HTTP/1.1 answers one request at a time, so a
 * connection that closes with a request under way is that request's client going away.
 *
 * The signal outlives the request: who listens to it must stop listening when the prediction ends.
 */
import type { Socket } from 'node:net';
import type { Cancellable, CancelSignal } from '../pool/job.js';

const signals = new WeakMap<Socket, CancelSignal>();

export function disconnectSignal(socket: Socket): CancelSignal {
  const known = signals.get(socket);
  if (known) return known;
  const signal = new Disconnect();
  if (socket.destroyed) signal.abort();
  else socket.once('close', () => signal.abort());
  signals.set(socket, signal);
  return signal;
}

/** Not an EventTarget: one listener comes and goes with each request, and there that costs as much as all of its queueing. */
class Disconnect implements CancelSignal {
  aborted = false;
  readonly #listeners: Cancellable[] = [];

  addEventListener(_type: 'abort', listener: Cancellable): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: Cancellable): void {
    const at = this.#listeners.lastIndexOf(listener);
    if (at !== -1) this.#listeners.splice(at, 1);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of this.#listeners.splice(0)) listener.handleEvent();
  }
}
