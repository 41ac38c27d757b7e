import { Cleaner, measure } from '../src/embed/cleaner.cjs';
import { registeredHooks } from '../src/embed/cleanup-hooks.cjs';
import { collectGarbage } from '../src/embed/collect-garbage.cjs';
import { messageOf } from '../src/errors.js';
import {
  type CheckedMessage,
  type CheckMessage,
  type CleanedMessage,
  type CleanupMessage,
  HEARTBEAT_MS,
  type Heartbeat,
  type UnloadedMessage,
} from '../src/worker/protocol.js';
import type { ModelRunner } from './model-runner.js';
import { VitalSigns } from './vitals.cjs';

/** No pass of collecting begins that would end later than this after the model is unloaded: whoever stops waits for it. */
const UNLOAD_GARBAGE_MS = 300;
/** Less than this is not worth the 10 ms that a collection takes at least, where the isolate ends anyway. */
const SMALL_BYTES = 32 * 1024 ** 2;

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

  /**
   * Unloads the model and collects what it leaves, unless that is little and the isolate ends. Null where none is loaded.
   * @param drop lets go of the runner: who still holds it holds the model's module, and what that keeps
   */
  async unload(drop: () => void, stays = false): Promise<UnloadedMessage | null> {
    const runner = this.runner();
    if (!runner) return null;
    const before = measure();
    const errors = await runner.unload();
    drop();
    if (stays || before.liveBytes >= SMALL_BYTES) await collectGarbage(performance.now() + UNLOAD_GARBAGE_MS);
    return { type: 'unloaded', before, after: measure(), errors };
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
