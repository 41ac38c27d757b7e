import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import type { WorkerState } from '../worker/state.js';
import type { Worker } from '../worker/worker.js';
import type { DecisionLog } from './decisions.js';
import type { AppState, SupervisorEvent } from './supervisor.js';

/** What happens, for whoever listens; app states are news only when they change. */
export class EventHub {
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  readonly #states = new Map<string, AppState>();

  constructor(
    private readonly clock: Clock,
    decisions: DecisionLog,
    private readonly warn: (text: string) => void,
  ) {
    decisions.onDecision((decision) => this.#emit({ type: 'decision', decision }));
  }

  on(listener: (event: SupervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  workerChanged(worker: Worker, from: WorkerState): void {
    const app = worker.id.slice(0, worker.id.lastIndexOf('/'));
    this.#emit({ type: 'worker', worker: worker.id, app, state: worker.state, from, time: this.#time() });
  }

  /** The state of its first pool that is not what it was; null when none changed. */
  appChanged(app: App): AppState | null {
    let changed: AppState | null = null;
    for (const { name, version, state } of app.states()) {
      const key = version === null ? name : `${name}@${version}`;
      if (this.#states.get(key) === state) continue;
      this.#states.set(key, state);
      changed ??= state;
      this.#emit({ type: 'app', app: key, state, time: this.#time() });
    }
    return changed;
  }

  #time(): string {
    return new Date(this.clock.wall()).toISOString();
  }

  #emit(event: SupervisorEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // What happens must not depend on who listens.
        this.warn(`a listener failed on an event (${event.type}): ${messageOf(error)}`);
      }
    }
  }
}
