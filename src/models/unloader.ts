import type { Clock } from '../clock.js';
import type { ModelsConfig, UnloadingConfig } from '../config/schema.js';
import type { PressureLevel } from '../policy/pressure.js';
import { afterGoing, type Cycle, roomInCycle } from '../policy/unload/cycle.js';
import type { StrategyAnswer } from '../policy/unload/strategies.js';
import { decideUnloads, nextToGo, type UnloadCandidate, type Unloading, type UnloadVictim } from '../policy/unload.js';
import type { Idle, Verdict } from './idle.js';
import type { Model } from './model.js';
import { dependents } from './requirements.js';
import type { Strategies } from './strategies.js';

export interface UnloaderDependencies {
  clock: Clock;
  config: () => { models: ModelsConfig; unloading: UnloadingConfig };
  strategies: Strategies;
  idle: Idle;
  pressure: () => PressureLevel | null;
  /** Of the memory limit. */
  usedShare: () => number | null;
  isLoading: (model: Model) => boolean;
  keepValue: (model: Model) => number;
  /** Nothing that was unloaded, or trimmed, is still to be measured. */
  settled: () => boolean;
  unload: (model: Model, victim: UnloadVictim) => void;
  /** Asks it for what it can do without; nothing is settled until that is measured. */
  trim: (model: Model) => void;
}

/** A request within this time is likely: it is not worth unloading for pressure that is not critical. */
const EXPECTED_MS = 60_000;
const EXPECTED_CHANCE = 0.5;
const LEAST_SAMPLES = 3;
const NOT_OVER = 'its time is not over';
const USE_SOON_MS = 15 * 60_000;

/** Takes models out of memory, cycle by cycle: who goes is decided in policy/unload.ts. */
export class Unloader {
  #cycle: Cycle | null = null;
  /** When it was trimmed last; monotonic ms. */
  readonly #trimmed = new WeakMap<Model, number>();

  constructor(private readonly deps: UnloaderDependencies) {}

  /** A sample may show that memory is short: that does not wait for the next tick. */
  sampled(models: readonly Model[]): void {
    if (this.#isUrgent(this.deps.config().unloading)) this.tick(models);
  }

  tick(models: readonly Model[]): void {
    const { due } = this.#decide(this.#candidates(models));
    if (due.length === 0) return;
    const byName = new Map(models.map((model) => [model.name, model]));
    for (const victim of due) if (victim.exact) this.deps.unload(byName.get(victim.name) as Model, victim);
    this.#runCycle(
      due.filter(({ exact }) => !exact),
      byName,
    );
  }

  /** What would be decided now, and in which order they would go; changes nothing. */
  look(models: readonly Model[]): { candidates: UnloadCandidate[]; decision: Unloading; next: string[] } {
    const candidates = this.#candidates(models);
    return { candidates, decision: this.#decide(candidates), next: nextToGo(candidates) };
  }

  #decide(candidates: readonly UnloadCandidate[]): Unloading {
    return decideUnloads(candidates, this.deps.pressure(), this.deps.config().unloading);
  }

  #candidates(models: readonly Model[]): UnloadCandidate[] {
    const loaded = models.filter((model) => model.loaded && model.unloading === null);
    // One that is on its way out may still be at work.
    const needed = dependents(models.filter((model) => model.loaded || model.isLeaving));
    return loaded.map((model) => this.#candidate(model, needed.get(model) ?? []));
  }

  #runCycle(due: readonly UnloadVictim[], byName: ReadonlyMap<string, Model>): void {
    if (due.length === 0) return;
    const { clock, config, settled: isSettled, unload, pressure } = this.deps;
    const { unloading } = config();
    const now = clock.now();
    const urgent = this.#isUrgent(unloading);
    const settled = isSettled();
    let room = roomInCycle(this.#cycle, unloading, urgent, settled, now);
    let gone = 0;
    for (const victim of due) {
      if (room === 0) break;
      const model = byName.get(victim.name) as Model;
      if (victim.cause === 'pressure') {
        // What the last one brings may be enough.
        if (!settled || gone > 0) continue;
        if (pressure() === 'high' && this.#trims(model, now)) break;
      }
      unload(model, victim);
      gone++;
      room--;
    }
    this.#cycle = afterGoing(this.#cycle, gone, unloading, urgent, settled, now);
  }

  #isUrgent({ pressureThreshold }: UnloadingConfig): boolean {
    const { pressure, usedShare } = this.deps;
    return pressure() === 'critical' || (usedShare() ?? 0) >= pressureThreshold;
  }

  /** Part of it first, once in each idle time: that may be enough, and costs no load. */
  #trims(model: Model, now: number): boolean {
    const trimmedAt = this.#trimmed.get(model);
    const idleMs = model.idleMs(now);
    if (idleMs === null || (trimmedAt !== undefined && now - trimmedAt < idleMs)) return false;
    this.#trimmed.set(model, now);
    this.deps.trim(model);
    return true;
  }

  #candidate(model: Model, needing: readonly Model[]): UnloadCandidate {
    const { clock, isLoading, keepValue, idle } = this.deps;
    const now = clock.now();
    const loading = isLoading(model) || !model.isReady;
    const idleMs = loading ? null : model.idleMs(now);
    const verdict = idleMs === null ? null : idle.verdict(model);
    const answer = verdict?.clock === 'to_zero_after' ? null : this.#ask(model, idleMs);
    return {
      name: model.name,
      onDemand: model.onDemand,
      loading,
      idleMs,
      residentMs: model.loadedAt === null ? null : now - model.loadedAt,
      bytes: model.measured().bytes ?? model.size.bytes,
      preference: model.unload.preference,
      neededBy: needing.map(({ name }) => name),
      keepalive: keepaliveOf(verdict, answer, model.unload.strategy ?? this.deps.config().unloading.strategy),
      score: answer?.score ?? null,
      expected: this.#isExpected(model, idleMs),
      keepValue: () => keepValue(model),
    };
  }

  #isExpected(model: Model, idleMs: number | null): boolean {
    const { clock, config, pressure } = this.deps;
    const { predictive } = config().models;
    // It is asked only where the answer counts.
    if (pressure() !== 'high' || idleMs === null || !predictive.enabled || predictive.forecastOnly) return false;
    const unusedMs = model.unusedMs(clock.now());
    // Of fewer it is not known whether they were one burst.
    if (model.history.samples < LEAST_SAMPLES) return false;
    return unusedMs !== null && model.history.nextUseWithin(EXPECTED_MS, unusedMs, clock.wall()) >= EXPECTED_CHANCE;
  }

  /** Null where its strategy is a built-in one, or can't be followed. */
  #ask(model: Model, idleMs: number | null): StrategyAnswer | null {
    const { clock, config, strategies, pressure, usedShare } = this.deps;
    if (idleMs === null) return null;
    const now = clock.now();
    return strategies.ask(model.unload.strategy ?? config().unloading.strategy, () => ({
      model: model.app.name,
      version: model.version,
      idleSeconds: idleMs / 1000,
      residentSeconds: (model.loadedAt === null ? idleMs : now - model.loadedAt) / 1000,
      memoryBytes: model.measured().bytes,
      loadSeconds: model.loadSeconds,
      popularity: model.history.popularity(clock.wall()),
      chanceOfUse: model.history.nextUseWithin(USE_SOON_MS, model.unusedMs(now) ?? idleMs, clock.wall()),
      pressure: pressure() ?? 'low',
      usedShare: usedShare(),
    }));
  }
}

/** @param strategy the model's, whoever it is of */
function keepaliveOf(
  verdict: Verdict | null,
  answer: StrategyAnswer | null,
  strategy: string,
): UnloadCandidate['keepalive'] {
  if (verdict === null || verdict.clock === null)
    return {
      clock: 'strategy',
      due: false,
      adaptive: false,
      reason: '',
      stays: NOT_OVER,
      label: strategy,
      numbers: {},
    };
  const { clock, action, reason, adaptive, numbers } = verdict;
  const label = clock === 'strategy' ? verdict.strategy : clock;
  const own = { clock, due: action === 'unload', adaptive, reason, stays: NOT_OVER, label, numbers };
  if (answer === null || (own.due && clock === 'ttl')) return own;
  const why = answer.reason ?? 'it is idle enough';
  return {
    clock: 'strategy',
    due: answer.unload,
    adaptive: false,
    reason: `by its strategy ${strategy}: ${why}`,
    stays: `its strategy ${strategy} keeps it`,
    label: strategy,
    numbers: { clock: strategy, idle_ms: numbers.idle_ms ?? null },
  };
}
