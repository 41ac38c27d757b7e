import type { Clock, Timer } from '../clock.js';
import type { CommonAppConfig } from '../config/schema.js';
import { messageOf, SupError } from '../errors.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { RecycleLimits } from '../policy/recycle.js';
import { decideRestart } from '../policy/restart.js';
import { type Backend, describeExit, type Exit, type Instance } from './backend.js';
import { Checking } from './checking.js';
import { Cleaning } from './cleaning.js';
import { bootQuietly, serveNormally } from './priority.js';
import type { FromWorker, ToWorker, UnloadedMessage } from './protocol.js';
import type { Readiness } from './readiness.js';
import { Readings } from './readings.js';
import { mayTransition, transition, type WorkerEvent, type WorkerState } from './state.js';

/** Whose doing a death was: the supervisor's own kills count neither for `restart` nor for quarantine. */
export type Fault = 'worker' | 'supervisor';

/** A boot that takes longer than this has work to do, and must not be starved of its time until `ready.timeout`. */
const QUIET_BOOT_MS = 2000;
/** Beyond this many, users are not told apart any more. */
const MAX_TRACKED_USERS = 100_000;

export interface WorkerSpec {
  readonly id: string;
  /** 0-based place in the pool. */
  readonly slot: number;
  readonly generation: number;
  readonly limits: RecycleLimits;
  /** A replacement on trial. */
  readonly trial: boolean;
  /** Asked when its first boot fails: whether it is left so, since the act that wanted it decides. */
  readonly once: () => boolean;
}

export interface WorkerHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly backend: Backend;
  readonly readiness: Readiness;
  /** Read at each use: policies change in place. */
  readonly config: () => Pick<CommonAppConfig, 'ready' | 'restart' | 'stop'>;
  /** Takes the worker's work away: resolves when nothing is in flight. The worker has left `ready` already. */
  drain(worker: Worker): Promise<void>;
  /** How long it may take to end by itself after its drain, before it is killed. */
  readonly exitGraceMs: () => number;
  /** What asks it to end: a model unloads first. */
  end(worker: Worker, instance: Instance): void;
  stateChanged(worker: Worker, from: WorkerState): void;
  message(worker: Worker, message: FromWorker): void;
  /** Its process or thread is gone; before the state changes. */
  lost(worker: Worker, fault: Fault): void;
  decided(worker: Worker, policy: string, decision: PolicyDecision): void;
  onLine(worker: Worker, listener: (line: string) => void): () => void;
}

/** One unit that serves: its life is worker/state.ts, whatever runs it. */
export class Worker {
  readonly id: string;
  readonly slot: number;
  readonly generation: number;
  limits: RecycleLimits;
  /** When this worker, and when its present life, began; monotonic ms. */
  readonly bornAt: number;
  startedAt: number;
  readyAt: number | null = null;
  bootMs = 0;
  restarts = 0;
  /** Boots that failed in a row. */
  failedBoots = 0;
  /** Why its last life ended, or its last boot failed. */
  lastFailure: string | null = null;
  /** Of its last life; null when that was ended by a signal. */
  exitCode: number | null = null;
  /** What its boot waits for. */
  waitingFor: string | null = null;
  /** It ended by itself and its restart policy leaves it so; null while it is supervised. */
  ended: 'clean' | 'failed' | null = null;
  lastBeatAt: number;
  /** How its model went, of its last life, where its host tells; kept after its exit. */
  unloaded: UnloadedMessage | null = null;
  /** Killed; its exit has not come yet. */
  condemned = false;

  requests = 0;
  users = 0;
  inFlight = 0;
  readings = new Readings();
  readonly cleaning: Cleaning;
  readonly checking: Checking;

  /** Resolves when it is ready for the first time; rejects when its first boot fails or it is stopped before. */
  readonly booted: Promise<void>;

  #state: WorkerState = 'starting';
  #instance: Instance | null = null;
  /** Number of the present life: what a former one still says is dropped. */
  #life = 0;
  #deaths = 0;
  #fault: Fault = 'worker';
  #boot: AbortController | null = null;
  #timer: Timer | null = null;
  /** Ends the low priority of a replacement that boots. */
  #loud: Timer | null = null;
  #stopping: Promise<void> | null = null;
  #gone: (() => void)[] = [];
  readonly #userSet = new Set<string>();
  #messageListeners: ((message: FromWorker) => void)[] = [];
  #resolveBooted!: () => void;
  #rejectBooted!: (error: Error) => void;

  constructor(
    private readonly spec: WorkerSpec,
    private readonly host: WorkerHost,
  ) {
    this.id = spec.id;
    this.slot = spec.slot;
    this.generation = spec.generation;
    this.limits = spec.limits;
    this.bornAt = this.startedAt = this.lastBeatAt = host.clock.now();
    this.cleaning = new Cleaning(host.clock, (message) => this.send(message));
    this.checking = new Checking(host.clock, (message) => this.send(message));
    this.booted = new Promise((resolve, reject) => {
      this.#resolveBooted = resolve;
      this.#rejectBooted = reject;
    });
    // Most workers have nobody waiting for their first boot.
    this.booted.catch(() => {});
  }

  get state(): WorkerState {
    return this.#state;
  }

  get pid(): number | null {
    return this.#instance?.pid ?? null;
  }

  get thread(): number | null {
    return this.#instance?.thread ?? null;
  }

  /** Whose doing its last death was. */
  get fault(): Fault {
    return this.#fault;
  }

  get domain(): string {
    return this.#instance?.domain ?? this.id;
  }

  /** Ms since its present life began. */
  ageMs(now: number): number {
    return now - this.startedAt;
  }

  start(): void {
    this.#launch();
  }

  send(message: ToWorker): void {
    this.#instance?.send(message);
  }

  /** Ends its process now; what follows is the restart policy's affair, or the end of a running stop. */
  kill(fault: Fault, why: string): void {
    this.condemned = true;
    this.#fault = fault;
    this.lastFailure = why;
    this.#instance?.kill();
  }

  /** One user of this life; their number is what `recycle.max_users` limits. */
  seeUser(user: string): void {
    if (this.#userSet.size >= MAX_TRACKED_USERS) return;
    this.#userSet.add(user);
    this.users = this.#userSet.size;
  }

  /** It takes no work until it has recovered. */
  sick(why: string): void {
    if (!mayTransition(this.#state, 'sick')) return;
    this.lastFailure = why;
    this.#to('sick');
  }

  recovered(): void {
    if (mayTransition(this.#state, 'recovered')) this.#to('recovered');
  }

  /** Drain, then ask, then kill; cancels a pending restart. A second call joins the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    const serving = this.#state === 'ready' || this.#state === 'unhealthy';
    this.#timer?.cancel();
    this.#boot?.abort();
    this.#to('drain');
    this.#rejectBooted(
      new SupError('SUP_CONFLICT', `${this.id} was stopped while it was starting`, { worker: this.id }),
    );
    const gone = this.#whenGone();
    if (serving) await this.#within(Promise.race([this.host.drain(this), gone]), this.host.config().stop.graceMs);
    if (this.#instance) this.host.end(this, this.#instance);
    const ended = await this.#within(gone, this.host.exitGraceMs());
    if (!ended) this.kill('supervisor', 'did not end in time');
    await gone;
  }

  #whenGone(): Promise<void> {
    if (!this.#instance) return Promise.resolve();
    return new Promise((resolve) => this.#gone.push(resolve));
  }

  /** Whether it happened in time. */
  async #within(what: Promise<void>, ms: number): Promise<boolean> {
    let timer: Timer | null = null;
    const late = new Promise<false>((resolve) => {
      timer = this.host.clock.setTimeout(() => resolve(false), ms);
    });
    const done = await Promise.race([what.then(() => true), late]);
    (timer as Timer | null)?.cancel();
    return done;
  }

  #launch(): void {
    const { host } = this;
    this.startedAt = this.lastBeatAt = host.clock.now();
    this.readyAt = null;
    this.#fault = 'worker';
    this.condemned = false;
    this.requests = this.users = this.inFlight = 0;
    this.#userSet.clear();
    this.unloaded = null;
    this.readings = new Readings();
    this.#messageListeners = [];
    const boot = new AbortController();
    this.#boot = boot;
    const { timeoutMs } = host.config().ready;
    this.#instance = null;
    const life = ++this.#life;
    const ended = (exit: Exit) => {
      if (this.#life === life) this.#exited(exit);
    };
    try {
      this.#instance = host.backend.launch(
        { worker: this.id, slot: this.slot },
        {
          message: (message) => {
            if (this.#life === life) this.#message(message);
          },
          exit: ended,
        },
      );
      if (this.spec.trial && this.thread === null) this.#bootQuietly();
    } catch (error) {
      // E2BIG and the like are thrown, not emitted. Not in this turn: whoever launches has not finished with the new state.
      setImmediate(ended, { code: null, signal: null, message: `cannot start ${this.id}: ${messageOf(error)}` });
    }
    this.#timer = host.clock.setTimeout(() => {
      this.#bootFailed(
        boot,
        new SupError(
          'SUP_WORKER_BOOT_TIMEOUT',
          `${this.id} was not ready after ${timeoutMs / 1000} s (ready.timeout), waiting for ${this.waitingFor ?? 'its first sign'}`,
          { worker: this.id, timeout_ms: timeoutMs },
        ),
      );
    }, timeoutMs);
    const endLines: (() => void)[] = [];
    boot.signal.addEventListener('abort', () => {
      for (const end of endLines) end();
    });
    host
      .readiness({
        worker: this.id,
        signal: boot.signal,
        onMessage: (listener) => this.#messageListeners.push(listener),
        onLine: (listener) => endLines.push(host.onLine(this, listener)),
        waitingFor: (what) => {
          this.waitingFor = what;
        },
      })
      .then(
        () => this.#ready(boot),
        (error) => this.#bootFailed(boot, error),
      );
  }

  #ready(boot: AbortController): void {
    if (boot.signal.aborted) return;
    this.#endBoot();
    this.readyAt = this.lastBeatAt = this.host.clock.now();
    this.bootMs = this.readyAt - this.startedAt;
    this.failedBoots = 0;
    this.waitingFor = null;
    this.#to('booted');
    this.#resolveBooted();
  }

  #bootFailed(boot: AbortController, error: unknown): void {
    if (boot.signal.aborted) return;
    // The process still lives; its exit is what ends this life, and there is one way only from there.
    this.lastFailure = messageOf(error);
    this.#endBoot();
    this.#instance?.kill();
  }

  #bootQuietly(): void {
    const { pid } = this;
    bootQuietly(pid);
    this.#loud = this.host.clock.setTimeout(() => serveNormally(pid), QUIET_BOOT_MS);
  }

  #endBoot(): void {
    if (this.#loud) {
      this.#loud.cancel();
      this.#loud = null;
      serveNormally(this.pid);
    }
    this.#timer?.cancel();
    this.#boot?.abort();
    this.#boot = null;
    this.#messageListeners = [];
  }

  #message(message: FromWorker): void {
    if (message.type === 'heartbeat') {
      this.lastBeatAt = this.host.clock.now();
      this.readings.vitals = message.vitals;
    } else if (message.type === 'cleaned') this.cleaning.received(message);
    else if (message.type === 'checked') this.checking.received(message);
    else if (message.type === 'unloaded') this.unloaded = message;
    for (const listener of this.#messageListeners) listener(message);
    this.host.message(this, message);
  }

  #exited(exit: Exit): void {
    const booting = this.#state === 'starting';
    // A boot that failed by itself has said why already; a mere exit code adds nothing to that.
    if (this.#boot || !booting) this.#recordDeath(exit, booting);
    this.#endBoot();
    this.#instance = null;
    this.#life++;
    this.inFlight = 0;
    this.cleaning.lost();
    this.checking.lost();
    this.exitCode = exit.code;
    this.host.lost(this, this.#fault);
    if (this.#state === 'draining') this.#to('exited');
    else this.#died(exit, booting);
    for (const resolve of this.#gone.splice(0)) resolve();
  }

  #recordDeath(exit: Exit, booting: boolean): void {
    if (this.#state === 'draining') return;
    if (this.#fault === 'worker' || this.lastFailure === null)
      this.lastFailure = `${this.id} ${describeExit(exit)}${booting ? ' while starting' : ''}`;
  }

  #died(exit: Exit, booting: boolean): void {
    const now = this.host.clock.now();
    const readyMs = this.readyAt === null ? null : now - this.readyAt;
    this.readyAt = null;
    if (booting) this.failedBoots++;
    this.#to(booting ? 'bootFailed' : 'exited');
    this.#rejectBooted(
      new SupError('SUP_WORKER_BOOT_FAILED', this.lastFailure ?? `${this.id} did not start`, { worker: this.id }),
    );
    if (booting && this.restarts === 0 && this.spec.once()) return;
    if (this.#fault === 'supervisor') {
      this.#retryIn(0);
      return;
    }
    const limits = this.host.config().restart;
    const decision = decideRestart(
      { earlier: this.#deaths, readyMs, clean: exit.code === 0 },
      limits,
      this.host.random(),
    );
    this.#deaths = decision.deaths;
    this.host.decided(this, 'restart', { ...decision, reason: `${this.lastFailure}: ${decision.reason}` });
    switch (decision.action) {
      case 'restart':
        this.#retryIn(decision.delayMs);
        return;
      case 'giveUp':
        this.#to('giveUp');
        if (limits.retryAfterMs > 0) this.#retryIn(limits.retryAfterMs);
        return;
      case 'end':
        this.ended = exit.code === 0 ? 'clean' : 'failed';
        this.#to('drain');
        return;
      case 'hold':
        return;
    }
  }

  #retryIn(ms: number): void {
    const retry = () => {
      this.restarts++;
      this.#to('retry');
      this.#launch();
    };
    if (ms === 0) retry();
    else this.#timer = this.host.clock.setTimeout(retry, ms);
  }

  #to(event: WorkerEvent): void {
    const from = this.#state;
    this.#state = transition(this.id, from, event);
    this.host.stateChanged(this, from);
  }
}
