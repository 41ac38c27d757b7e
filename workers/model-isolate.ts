import { Cleaner } from '../src/embed/cleaner.cjs';
import { registeredHooks } from '../src/embed/cleanup-hooks.cjs';
import { messageOf } from '../src/errors.js';
import {
  type CheckedMessage,
  type CheckMessage,
  type CleanedMessage,
  type CleanupMessage,
  HEARTBEAT_MS,
  type Heartbeat,
} from '../src/worker/protocol.js';
import type { ModelRunner } from './model-runner.js';
import { VitalSigns } from './vitals.cjs';

/** What an isolate that runs a model says about itself, and how it gives memory back: a process's only one, or a thread. */
export class ModelIsolate {
  readonly #vitals = new VitalSigns();
  /** While it loads, its hooks may not be ready for it. */
  readonly #cleaner = new Cleaner(() => (this.runner() ? registeredHooks() : []));

  /** @param runner null until the model is loaded */
  constructor(private readonly runner: () => ModelRunner | null) {}

  beat(send: (beat: Heartbeat) => void): void {
    this.#vitals.beat(HEARTBEAT_MS, (vitals) => send(this.#heartbeat(vitals)));
  }

  /** Out of turn. */
  heartbeat(): Heartbeat {
    return this.#heartbeat(this.#vitals.take());
  }

  clean({ id, level }: CleanupMessage, send: (cleaned: CleanedMessage) => void): void {
    this.#cleaner.clean(level).then(
      (outcome) => send({ type: 'cleaned', id, level, ...outcome }),
      // Nothing was measured; the master does not wait for ever.
      () => {},
    );
  }

  check({ id }: CheckMessage, send: (checked: CheckedMessage) => void): void {
    // While it loads there is nothing to ask.
    (this.runner()?.check() ?? Promise.resolve(null)).then(
      (complaint) => send({ type: 'checked', id, ok: complaint === null, message: complaint }),
      (error) => send({ type: 'checked', id, ok: false, message: messageOf(error) }),
    );
  }

  #heartbeat(vitals: Heartbeat['vitals']): Heartbeat {
    const counts = this.runner()?.counts ?? { requests: 0, users: 0, inFlight: 0 };
    return { type: 'heartbeat', ...counts, vitals };
  }
}
