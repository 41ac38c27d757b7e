import type { Clock } from '../clock.js';
import type { AppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import { drawLimits } from '../policy/recycle.js';
import type { Backend, Instance } from '../worker/backend.js';
import type { FromWorker } from '../worker/protocol.js';
import type { WorkerState } from '../worker/state.js';
import { Worker } from '../worker/worker.js';
import { Coalesced } from './coalesced.js';
import { Health } from './health.js';
import { Recycling } from './recycling.js';
import { Settling } from './settling.js';
import { Stall } from './stall.js';
import { Trimming } from './trimming.js';
import { pickVictims } from './victims.js';
import type { Blueprint, Work } from './work.js';

export interface PoolEvents {
  decided(subject: string, policy: string, decision: PolicyDecision): void;
  stateChanged(worker: Worker, from: WorkerState): void;
  onLine(worker: string, listener: (line: string) => void): () => void;
}

export interface PoolDependencies {
  clock: Clock;
  random: () => number;
  work: Work;
  events: PoolEvents;
  /** Whether the box's memory has room for so much more. */
  hasRoom: (bytes: number) => boolean;
}

export type Phase = 'stopped' | 'running' | 'stopping';

/**
 * The workers of one app version. It alone decides how many there are: operators and policies ask. Replacements are surge slots
 * outside `desired`; every worker is in one of these sets, and a change of sets happens in the turn of the loop that decided it.
 */
export class Pool {
  readonly #workers = new Set<Worker>();
  /** Replacements that have not proved themselves yet. */
  readonly #trials = new Set<Worker>();
  readonly #retiring = new Map<Worker, Promise<void>>();
  readonly #replacing = new Map<Worker, Promise<void>>();
  readonly #settling = new Settling(this);
  #phase: Phase = 'stopped';
  #stops = 0;
  /** What is being unloaded while it is counted is not kept. */
  #releases = 0;
  #desired = 0;
  /** Slots whose worker is gone and whose replacement comes from the act that emptied them. */
  #vacant = 0;
  #generation = 1;
  /** When its present code was read; wall ms. */
  #madeAt: number;
  #restarts = 0;
  #startedAt: number;
  #stopping: Promise<void> | null = null;
  readonly #reloads = new Coalesced<Change>((change) => this.#reload(change));
  /** Whether a worker that fails to boot now is left so: whoever loads it decides. */
  bootsOnce: () => boolean = () => false;
  /** Why its last load failed, until it may be tried again. */
  loadFailure: string | null = null;
  /** Why it has no workers though it is to have some; null while nothing keeps it from them. */
  waitingFor: string | null = null;
  readonly recycling: Recycling;
  readonly #trimming: Trimming;
  readonly #health: Health;
  readonly #stall: Stall;

  constructor(
    /** `intents@v1` or `web`: workers are `<name>/<number>`. */
    readonly name: string,
    private config: AppConfig,
    private blueprint: Blueprint,
    private readonly deps: PoolDependencies,
    /** Null for an app without versions. */
    readonly version: string | null = null,
    /** Highest worker number given so far: a pool that takes over from another goes on counting. */
    private number = 0,
  ) {
    this.#startedAt = deps.clock.now();
    this.#madeAt = deps.clock.wall();
    this.recycling = new Recycling({
      clock: deps.clock,
      config: () => this.config,
      decided: deps.events.decided,
      isServing: (worker) => !this.#retiring.has(worker) && !this.#trials.has(worker),
      mayReplace: (worker) =>
        !this.#replacing.has(worker) &&
        this.#replacing.size < this.config.recycle.maxConcurrent &&
        !this.#reloads.running,
      hasRoom: deps.hasRoom,
      replace: (worker, { afresh, oldFirst }) => {
        if (afresh) this.blueprint.backend.leave(worker.domain);
        return this.#replace(worker, oldFirst);
      },
    });
    this.#trimming = new Trimming(deps.events.decided);
    const { service } = deps.work;
    this.#health = new Health({
      clock: deps.clock,
      service,
      decided: deps.events.decided,
      workers: () => this.#serving(),
      inFlight: (worker) => this.inFlight(worker),
      replace: (worker, decision) => this.recycling.replace(worker, 'health', decision),
    });
    this.#stall = new Stall({
      service,
      replace: (name, decision) => {
        const worker = this.#serving().find((w) => w.id === name);
        if (worker) void this.recycling.replace(worker, 'health', decision);
      },
    });
  }

  /** How often it was asked to stop: a start that has to wait sees whether it was called off. */
  get stops(): number {
    return this.#stops;
  }
  get phase(): Phase {
    return this.#phase;
  }
  get desired(): number {
    return this.#desired;
  }
  get generation(): number {
    return this.#generation;
  }
  /** When the code of its present generation was read first; wall ms. */
  get madeAt(): number {
    return this.#madeAt;
  }
  get restarts(): number {
    return this.#restarts;
  }
  get work(): Work {
    return this.deps.work;
  }
  get workers(): Worker[] {
    return [...this.#workers];
  }
  get lastNumber(): number {
    return this.number;
  }
  get uptimeMs(): number {
    return this.#phase === 'stopped' ? 0 : this.deps.clock.now() - this.#startedAt;
  }

  /** Those that count towards `desired`: neither on trial nor on their way out. */
  active(): Worker[] {
    return this.workers.filter(
      (w) => !this.#trials.has(w) && !this.#retiring.has(w) && (w.state !== 'stopped' || w.ended),
    );
  }

  /** Requests that it works on, as far as is known here. */
  inFlight(worker: Worker): number {
    return this.work.inFlight?.(worker) ?? worker.inFlight;
  }

  /** Serves, or is about to, and no act has claimed it. */
  isReplaceable(worker: Worker): boolean {
    return (
      worker.state === 'ready' &&
      !worker.condemned &&
      !this.#replacing.has(worker) &&
      !this.#retiring.has(worker) &&
      !this.#trials.has(worker)
    );
  }

  readyCount(): number {
    return this.workers.filter((w) => w.state === 'ready').length;
  }

  /** Starts `size` workers and resolves as `settled` does. */
  async start(size: number): Promise<void> {
    const stops = this.#stops;
    if (this.#stopping) await this.#stopping;
    if (this.#stops !== stops) throw new SupError('SUP_CONFLICT', `${this.name} was stopped meanwhile`);
    if (this.#phase !== 'running') {
      this.#phase = 'running';
      this.#startedAt = this.deps.clock.now();
    }
    // A worker that its restart policy left alone starts again when an operator asks for it.
    for (const worker of this.#workers) if (worker.ended) this.#workers.delete(worker);
    for (const worker of this.#workers)
      if (worker.state === 'failed' || worker.state === 'backoff') this.#retire(worker);
    return this.resize(size);
  }

  /** Sets the size; resolves when that many are ready and those in surplus are gone. @throws SupError as `settled`. */
  async resize(size: number): Promise<void> {
    this.setSize(size);
    await Promise.all([this.settled(), this.gone()]);
  }

  /** As `resize`, and waits for nothing. */
  setSize(size: number): void {
    this.#desired = size;
    this.#reconcile();
  }

  /** Resolves when those that are on their way out now have ended, whatever comes after them. */
  async gone(): Promise<void> {
    await Promise.all(this.#retiring.values());
  }

  /** Resolves when no stop is under way. */
  async stopped(): Promise<void> {
    await this.#stopping;
  }

  /** Drains and stops every worker. A second call joins the first. */
  stop(): Promise<void> {
    this.#stops++;
    this.#phase = 'stopping';
    this.#desired = 0;
    // `finally` runs in a later turn, also when there is nothing to stop: it never clears a promise that is not stored yet.
    this.#stopping ??= this.#stopAll().finally(() => {
      this.#stopping = null;
      this.#phase = 'stopped';
      this.#settling.look();
    });
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    // New ones may still join: an act that was under way hands its replacement over before it sees that we stop.
    while (this.#workers.size > 0) await Promise.all([...this.#workers].map((worker) => this.#retire(worker)));
    await this.release();
  }

  /** Process that was kept when its model was unloaded, for the next load; null: there is none. */
  get keptPid(): number | null {
    return this.blueprint.backend.keptPid ?? null;
  }

  /** Ends that process: what is started next is started afresh. */
  async release(): Promise<void> {
    this.#releases++;
    await this.blueprint.backend.release?.();
  }

  /** Ends drains early: SIGKILL for all that is left. */
  killAll(why: string): void {
    for (const worker of this.#workers) worker.kill('supervisor', why);
  }

  /**
   * Replaces every worker by one of a new generation, `recycle.max_concurrent` at a time. While one runs, further calls
   * coalesce into one that follows it.
   * @throws SupError SUP_ACT_FAILED when a new worker did not get ready; the old one stays.
   */
  reload(change: Change): Promise<void> {
    return this.#reloads.run(change);
  }

  /** What is started from now on is made so. */
  adopt({ config, blueprint }: Change): void {
    void this.release();
    this.config = config;
    this.blueprint = blueprint;
  }

  async #reload(change: Change): Promise<void> {
    const before = { config: this.config, blueprint: this.blueprint };
    this.#generation++;
    this.#madeAt = this.deps.clock.wall();
    this.adopt(change);
    const old = this.active();
    try {
      await this.#roll(old);
    } catch (error) {
      // Nothing of the new generation serves: what is started from now on is made as before.
      if (!this.active().some((w) => w.generation === this.#generation)) Object.assign(this, before);
      throw error;
    }
  }

  /** Replaces these workers by hand; each counts as a recycle. @throws SupError SUP_ACT_FAILED */
  async recycle(workers: readonly Worker[], reason: string): Promise<void> {
    await this.#roll(workers, (worker) => {
      this.recycling.add();
      this.deps.events.decided(worker.id, 'operator', { action: 'recycle', reason, numbers: {} });
    });
  }

  /** New policies and limits for the workers that live. */
  configure(config: AppConfig): void {
    this.config = config;
    void this.release();
    for (const worker of this.#workers) worker.limits = this.#drawLimits();
  }

  /** Once a second, and when a worker reports that it reached a limit. */
  tick(now: number, stalled: boolean): void {
    if (this.#phase !== 'running') return;
    for (const worker of this.active()) {
      if ((worker.state !== 'ready' && worker.state !== 'unhealthy') || worker.condemned) continue;
      if (stalled) worker.lastBeatAt = now;
      else this.#checkWedge(worker, now);
      this.checkMemory(worker, now);
    }
    if (stalled) return;
    this.#health.tick(now);
    this.#stall.tick();
  }

  /** Why its queue stands still, if it does. */
  get stalled(): string | null {
    return this.#stall.reason;
  }

  /** Those that take work, or would if they were well. */
  #serving(): Worker[] {
    return this.active().filter((w) => (w.state === 'ready' || w.state === 'unhealthy') && !w.condemned);
  }

  /** After a look at its memory. */
  checkMemory(worker: Worker, now: number): void {
    if (this.work.speaks) this.#trimming.check(worker, now);
    this.recycling.check(worker, now);
  }

  /** Resolves when `desired` workers are ready. @throws SupError SUP_WORKER_BOOT_FAILED with the reason when one gave up, or SUP_CONFLICT when the pool is stopped meanwhile. */
  settled(): Promise<void> {
    return this.#settling.wait();
  }

  #checkWedge(worker: Worker, now: number): void {
    const { wedgeMs } = this.work;
    if (wedgeMs === null) return;
    const atWorkUntil = Math.max(this.work.busyUntil(worker) ?? 0, worker.checking.until ?? 0);
    const since = Math.max(worker.lastBeatAt, atWorkUntil);
    if (now - since > wedgeMs)
      this.wedged(worker, { silent_ms: Math.round(now - worker.lastBeatAt), wedge_ms: wedgeMs });
  }

  /** Its event loop, or a prediction, does not come back: kill it; the restart policy goes on from there. */
  wedged(worker: Worker, numbers: Record<string, number | string | null>): void {
    // Its silent loop and its prediction that does not return may be found one after the other.
    if (worker.condemned) return;
    this.deps.events.decided(worker.id, 'health', { action: 'kill', reason: 'wedged', numbers });
    worker.kill('worker', `${worker.id} was killed: its event loop was blocked`);
  }

  async #roll(workers: readonly Worker[], replaced?: (worker: Worker) => void): Promise<void> {
    const queue = [...workers];
    const gone: Promise<void>[] = [];
    let failure: unknown = null;
    const lane = async () => {
      for (let worker = queue.shift(); worker && !failure; worker = queue.shift()) {
        if (this.#phase !== 'running') failure = new SupError('SUP_CONFLICT', `${this.name} was stopped meanwhile`);
        else if (this.active().includes(worker)) {
          try {
            await this.#replace(worker);
            gone.push(this.#retiring.get(worker) ?? Promise.resolve());
            replaced?.(worker);
          } catch (error) {
            failure = error;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: this.config.recycle.maxConcurrent }, lane));
    await Promise.all(gone);
    if (failure) throw failure;
  }

  /** Resolves when a fresh worker has taken over; the old one drains from then on. One act a worker: a second joins the first. */
  #replace(old: Worker, oldFirst = false): Promise<void> {
    const running = this.#replacing.get(old);
    if (running) return running;
    const act = (this.work.overlap && !oldFirst ? this.#surge(old) : this.#stopFirst(old)).finally(() =>
      this.#replacing.delete(old),
    );
    this.#replacing.set(old, act);
    return act;
  }

  async #surge(old: Worker): Promise<void> {
    const fresh = this.#spawn(old.slot, true);
    try {
      await fresh.booted;
    } catch (error) {
      void this.#retire(fresh);
      throw new SupError(
        'SUP_ACT_FAILED',
        `${old.id} was not replaced: ${(error as Error).message}`,
        { worker: old.id },
        { cause: error },
      );
    }
    // Read again: the world went on while it booted.
    this.#trials.delete(fresh);
    const wanted = this.#phase === 'running' && (this.active().includes(old) || this.active().length <= this.#desired);
    if (!wanted) void this.#retire(fresh);
    else if (this.active().includes(old)) void this.#retire(old);
    this.#reconcile();
  }

  async #stopFirst(old: Worker): Promise<void> {
    this.#vacant++;
    try {
      await this.#retire(old);
    } finally {
      this.#vacant--;
    }
    if (this.#phase !== 'running' || this.active().length >= this.#desired) return;
    const fresh = this.#spawn(old.slot, false);
    await fresh.booted;
  }

  #retire(worker: Worker): Promise<void> {
    let leaving = this.#retiring.get(worker);
    if (!leaving) {
      this.#trials.delete(worker);
      leaving = worker.stop().finally(() => {
        this.#retiring.delete(worker);
        this.#workers.delete(worker);
        this.#settling.look();
      });
      this.#retiring.set(worker, leaving);
    }
    return leaving;
  }

  #reconcile(): void {
    if (this.#phase !== 'running') return;
    const active = this.active();
    for (let missing = this.#desired - active.length - this.#vacant; missing > 0; missing--)
      this.#spawn(this.#freeSlot(), false);
    const isBeingReplaced = (w: Worker) => this.#replacing.has(w);
    for (const victim of pickVictims(active, active.length - this.#desired, isBeingReplaced, (w) => this.inFlight(w)))
      void this.#retire(victim);
    this.#settling.look();
  }

  #freeSlot(): number {
    const taken = new Set(this.active().map((w) => w.slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  #spawn(slot: number, trial: boolean): Worker {
    const { clock, random, work, events } = this.deps;
    const { backend, readiness } = this.blueprint;
    const worker: Worker = new Worker(
      {
        id: `${this.name}/${++this.number}`,
        slot,
        generation: this.#generation,
        limits: this.#drawLimits(),
        trial,
        // With another one that serves, or pinned meanwhile, it is a worker like any other.
        once: () => trial || (this.bootsOnce() && this.readyCount() === 0),
      },
      {
        clock,
        random,
        backend,
        readiness,
        config: () => this.config,
        exitGraceMs: () => work.exitGraceMs,
        drain: (w) => work.drain(w, !this.workers.some((other) => other !== w && other.state === 'ready')),
        end: (w, instance) => this.#end(w, instance, backend),
        stateChanged: (w, from) => this.#stateChanged(w, from),
        message: (w, message) => this.#message(w, message),
        lost: (w, fault) => work.lost(w, fault),
        decided: (w, policy, decision) => events.decided(w.id, policy, decision),
        onLine: (w, listener) => events.onLine(w.id, listener),
      },
    );
    this.#workers.add(worker);
    if (trial) this.#trials.add(worker);
    worker.start();
    return worker;
  }

  /** A pool that runs and is to have no worker will have one again: its process may wait for that. */
  #end(worker: Worker, instance: Instance, backend: Backend): void {
    const releases = this.#releases;
    const unloaded = () =>
      this.#phase === 'running' &&
      this.#desired === 0 &&
      this.#releases === releases &&
      worker.generation === this.#generation &&
      this.blueprint.backend === backend;
    if (instance.park && unloaded()) instance.park(unloaded);
    else this.work.end(worker, instance);
  }

  #drawLimits() {
    return drawLimits(this.config.recycle, this.deps.random);
  }

  #message(worker: Worker, message: FromWorker): void {
    if (message.type === 'heartbeat' || message.type === 'stats') {
      worker.requests = Math.max(worker.requests, message.requests);
      worker.users = Math.max(worker.users, message.users);
      worker.inFlight = message.inFlight;
    }
    this.work.message(worker, message);
    if (message.type === 'result') this.#health.observe(worker, message);
    // Not only at the tick: a limit acts between requests.
    const { maxRequests, maxUsers } = worker.limits;
    if ((maxRequests !== null && worker.requests >= maxRequests) || (maxUsers !== null && worker.users >= maxUsers))
      this.recycling.check(worker, this.deps.clock.now());
  }

  #stateChanged(worker: Worker, from: WorkerState): void {
    if (worker.state === 'ready') this.work.admit(worker);
    if (worker.state === 'starting' && worker.fault === 'worker') this.#restarts++;
    this.deps.events.stateChanged(worker, from);
    this.#settling.look();
  }
}

/** What a reload starts from. */
export interface Change {
  config: AppConfig;
  blueprint: Blueprint;
}
