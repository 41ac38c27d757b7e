import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock.js';
import type { Config } from '../config/schema.js';
import { SupError } from '../errors.js';
import { ModelHistory, type ModelWindow } from '../metrics/model-history.js';
import type { LearnedModel } from '../models/model.js';
import { ModelRuntime } from '../models/runtime.js';
import { Hooks } from '../monitor/hooks.js';
import { updateQueues } from './availability.js';
import { DecisionLog } from './decisions.js';
import { EventHub } from './events.js';
import { Guard } from './guard.js';
import { Observation } from './observation.js';
import { Predictions } from './predictions.js';
import { Registry } from './registry.js';

export interface CoreOptions {
  clock: Clock;
  /** State folder; null: there is none, and nothing is written anywhere. */
  home: string | null;
  /** Folder of the apps' logs; null: their last lines are kept in memory only. */
  logsDir: string | null;
  pins: Record<string, number>;
  learned: Record<string, LearnedModel>;
  /** Keeps it for the next time. */
  learn: (models: Record<string, LearnedModel>) => void;
  warn: (text: string) => void;
}

/** Compiled worker programs stand beside the compiled sources. */
export const WORKERS_DIR = fileURLToPath(new URL('../../workers', import.meta.url));

/** Apps, their workers and what is decided about them: what a master has in common with a pool in somebody's program. Wiring only. */
export class Core {
  readonly guard: Guard;
  readonly decisions: DecisionLog;
  readonly events: EventHub;
  readonly hooks: Hooks;
  readonly runtime: ModelRuntime;
  readonly registry: Registry;
  readonly predictions: Predictions;
  readonly observation: Observation;
  readonly #clock: Clock;
  readonly #modelHistory: ModelHistory;

  constructor({ clock, home, logsDir, pins, learned, learn, warn }: CoreOptions) {
    this.#clock = clock;
    this.#modelHistory = new ModelHistory(clock.now());
    const guard = new Guard(home);
    const decisions = new DecisionLog(clock);
    const events = new EventHub(clock, decisions, warn);
    const hooks = new Hooks(warn);
    decisions.onDecision((decision) => hooks.decision(decision));

    const runtime: ModelRuntime = new ModelRuntime({
      clock,
      apps: () => registry.everything,
      decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
      warn,
      room: () => observation.box.room(),
      pressure: () => observation.box.level,
      box: () => {
        const { level, usedBytes, limitBytes } = observation.box;
        return { pressure: level, usedBytes, limitBytes };
      },
      changed: (app) => {
        updateQueues(app, runtime);
        events.appChanged(app);
      },
      learned,
      learn,
    });
    const registry: Registry = new Registry({
      clock,
      random: Math.random,
      groups: guard,
      home,
      logsDir,
      workersDir: WORKERS_DIR,
      pins,
      warn,
      life: runtime,
      hasRoom: (bytes) => observation.box.hasRoom(bytes),
      calm: () => this.#calm,
      events: {
        decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
        stateChanged: (worker, from) => {
          events.workerChanged(worker, from);
          const entry = registry.ofWorker(worker.id);
          if (!entry) return;
          // Before its first request: what it begins with is not what it was asked to do.
          if (worker.state === 'ready' && from === 'starting' && (entry.model || worker.limits.maxMemoryBytes !== null))
            observation.sampling.lookAt(worker);
          runtime.workerChanged(entry.app, worker);
          updateQueues(entry.app, runtime);
          if (events.appChanged(entry.app) === 'online') registry.unblock(entry.app.name);
        },
      },
      changed: (app) => {
        runtime.appChanged(app);
        updateQueues(app, runtime);
        events.appChanged(app);
      },
    });
    const observation = new Observation({
      clock,
      diskPath: home ?? process.cwd(),
      apps: () => registry.apps,
      decisions,
      hooks,
      warn,
      sampled: (at) => {
        runtime.sampled(at);
        if (!this.#calm) this.#releaseAll();
        this.#seeModels(at);
      },
      mayEvict: (pool) => runtime.mayEvict(pool),
      evict: (pool, reason) => runtime.evict(pool, reason),
    });
    this.guard = guard;
    this.decisions = decisions;
    this.events = events;
    this.hooks = hooks;
    this.runtime = runtime;
    this.registry = registry;
    this.observation = observation;
    this.predictions = new Predictions(registry, clock, runtime);
  }

  /** What the ruling configuration says of the whole box. */
  configure(config: Config): void {
    this.observation.configure(config);
    this.runtime.configure(config);
  }

  /** How the models did in the last seconds. */
  modelWindow(seconds: number): ModelWindow {
    const now = this.#clock.now();
    // Up to now, and not to the last tick only.
    this.#seeModels(now);
    return this.#modelHistory.over(seconds, now);
  }

  get #calm(): boolean {
    return (this.observation.box.level ?? 'low') === 'low';
  }

  /** Processes that are kept for models that are not loaded. */
  #releaseAll(): void {
    for (const app of this.registry.apps) for (const pool of app.pools.values()) void pool.release();
  }

  #seeModels(now: number): void {
    this.#modelHistory.tick(this.runtime.counts(), now);
  }

  /** Drains and stops all apps for good; nothing is decided any more, and no timer is left that would keep a program alive. */
  async stop(): Promise<void> {
    await this.registry.retire();
    const over = new SupError('SUP_SHUTTING_DOWN', 'everything is being stopped');
    for (const { app, model } of this.registry.entries)
      for (const version of app.pools.keys()) model?.dispatcher(version as string).close(over);
    this.observation.close();
    this.runtime.close();
  }

  /** The last thing, after `stop`: logs are complete, and no process is left. */
  async close(): Promise<void> {
    await Promise.all(this.registry.entries.map((entry) => entry.log.close()));
    await this.guard.close();
  }
}
