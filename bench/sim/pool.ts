import { RequestQueue } from './queue.js';

/** What a box gives its pool. */
export interface PoolSettings {
  deadlineMs: number;
  bootMs: number;
  /** Cores that the workers share: with more at work than cores, all get slower. Null: service takes as long as it takes. */
  cores: number | null;
}

/** What happened in one tick, and what is the case at its end. */
export interface PoolTick {
  arrivals: number;
  completed: number;
  /** Worker time of what was completed. */
  busyMs: number;
  /** Time that ready workers were at work, over all of them. */
  workedMs: number;
  /** Time that workers were ready, over all of them. */
  readyMs: number;
  /** Mean number in flight and queued. */
  inSystem: number;
  queued: number;
  inFlight: number;
  ready: number;
  booting: number;
  idle: number;
  /** 0..1 of the cores; null without a number of cores. */
  cpuShare: number | null;
  /** 0..1 of the time in which more were at work than there are cores. */
  cpuWait: number | null;
}

/** Requests in the order of their arrival. */
export interface Requests {
  /** When the next one comes, ms; Infinity: none is left. */
  readonly at: number;
  /** What it needs of one worker, ms. */
  readonly serviceMs: number;
  take(): void;
  /** One has been answered or given up; for clients that wait for it before they send another. */
  done?(now: number): void;
}

/** Latencies are counted by the ms up to this. */
const LONGEST_MS = 60_000;
const MOST_WORKERS = 1024;

const BOOTING = 0;
const READY = 1;
const DRAINING = 2;
const NEVER = Number.POSITIVE_INFINITY;

/**
 * A pool in virtual time: one queue, first come first served; workers that boot, serve one request at a time, and finish what they
 * have before they go. Requests whose deadline ends while they wait are taken out of the queue, as the dispatcher does.
 * Plain arrays instead of an object for each worker: a week has tens of millions of requests.
 */
export class SimPool {
  now = 0;
  /** Requests that came before this, and what workers have cost until then, count for nothing. */
  countFrom = 0;
  arrivals = 0;
  /** Answered within their deadline. */
  good = 0;
  workerMs = 0;
  /** All that were there at once: also those that finish their last request. */
  peakWorkers = 0;
  readonly latencies = new Uint32Array(LONGEST_MS + 1);

  #workers = 0;
  readonly #state = new Uint8Array(MOST_WORKERS);
  readonly #readyAt = new Float64Array(MOST_WORKERS);
  /** In the time of `#work`; NEVER: idle. */
  readonly #endsAt = new Float64Array(MOST_WORKERS);
  readonly #arrivedAt = new Float64Array(MOST_WORKERS);
  readonly #startedAt = new Float64Array(MOST_WORKERS);

  /** Work that a busy worker has done since the beginning: runs slower than time where they share cores. */
  #work = 0;
  #running = 0;
  #ready = 0;
  #draining = 0;
  /** Who is the next to end, and when; -1: nobody is at work. Only kept up to date while ends are watched. */
  #next = -1;
  #nextEnd = NEVER;
  #watched = false;
  #tickAt = 0;
  #completed = 0;
  #busyMs = 0;
  #workedMs = 0;
  #readyMs = 0;
  #clockedAt = 0;
  readonly #queue = new RequestQueue();

  constructor(
    readonly settings: PoolSettings,
    private readonly requests: Requests,
    first: number,
  ) {
    for (let i = 0; i < first; i++) this.#add(0);
  }

  /** All that take up memory. */
  get workers(): number {
    return this.#workers;
  }

  /** Those that serve and those that boot. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#workers; i++) if (this.#state[i] !== DRAINING) size++;
    return size;
  }

  resize(size: number): void {
    for (let more = size - this.size; more > 0; more--) this.#add(this.settings.bootMs);
    for (let fewer = this.size - size; fewer > 0; fewer--) this.#remove();
  }

  #add(bootMs: number): void {
    this.#clock();
    if (this.#workers === MOST_WORKERS) throw new Error(`more than ${MOST_WORKERS} workers at once`);
    const i = this.#workers++;
    this.#state[i] = bootMs === 0 ? READY : BOOTING;
    this.#readyAt[i] = this.now + bootMs;
    this.#endsAt[i] = NEVER;
    if (bootMs === 0) this.#ready++;
    this.peakWorkers = Math.max(this.peakWorkers, this.#workers);
  }

  /** Those that don't serve yet go first, then idle ones; a busy one ends with its request. */
  #remove(): void {
    let victim = -1;
    let least = 3;
    for (let i = this.#workers - 1; i >= 0; i--) {
      if (this.#state[i] === DRAINING) continue;
      const rank = this.#state[i] === BOOTING ? 0 : this.#endsAt[i] === NEVER ? 1 : 2;
      if (rank >= least) continue;
      victim = i;
      least = rank;
    }
    this.#clock();
    if (this.#state[victim] === READY) this.#ready--;
    if (least < 2) this.#drop(victim);
    else {
      this.#state[victim] = DRAINING;
      this.#draining++;
    }
  }

  #drop(worker: number): void {
    this.#clock();
    this.#workers--;
    for (const list of [this.#state, this.#readyAt, this.#endsAt, this.#arrivedAt, this.#startedAt])
      list.copyWithin(worker, worker + 1, this.#workers + 1);
    this.#findNext();
  }

  /** Runs until `end`. */
  advance(end: number): PoolTick {
    const { requests } = this;
    const queue = this.#queue;
    const cores = this.settings.cores ?? NEVER;
    const startedAt = this.now;
    this.#tickAt = startedAt;
    let arrivals = 0;
    let queuedMs = 0;
    let coresMs = 0;
    let waitingMs = 0;
    let arrivalAt = requests.at;
    let readyAt = this.#nextReady();
    for (;;) {
      this.#watch();
      const running = this.#running;
      const speed = running <= cores ? 1 : cores / running;
      let at = end;
      if (arrivalAt < at) at = arrivalAt;
      if (readyAt < at) at = readyAt;
      let endAt = NEVER;
      if (this.#watched) {
        // Rounding may leave a little less than nothing to be done.
        const leftMs = (this.#nextEnd - this.#work) / speed;
        endAt = this.now + (leftMs > 0 ? leftMs : 0);
        if (endAt < at) at = endAt;
      }
      const passed = at - this.now;
      this.#work += passed * speed;
      queuedMs += passed * queue.length;
      coresMs += passed * Math.min(cores, running);
      if (running > cores) waitingMs += passed;
      this.now = at;
      // What ends at this very moment is still part of the tick.
      if (at === endAt) {
        this.#end(this.#next);
        requests.done?.(at);
        arrivalAt = requests.at;
      } else if (at === readyAt) {
        this.#admit();
        readyAt = this.#nextReady();
      } else if (at === end) break;
      else {
        arrivals++;
        if (at >= this.countFrom) this.arrivals++;
        const free = this.#free();
        if (free < 0) queue.push(at, requests.serviceMs);
        else this.#start(free, at, requests.serviceMs);
        requests.take();
        arrivalAt = requests.at;
      }
    }
    this.#settle();
    this.#expire();
    this.#clock();
    const spanMs = end - startedAt;
    const workedMs = this.#workedMs + this.#workedSoFar();
    const tick: PoolTick = {
      arrivals,
      completed: this.#completed,
      busyMs: this.#busyMs,
      workedMs,
      readyMs: this.#readyMs,
      inSystem: (workedMs + queuedMs) / spanMs,
      queued: queue.length,
      inFlight: this.#running,
      ready: this.#ready,
      booting: this.#count(BOOTING),
      idle: this.#countIdle(),
      cpuShare: this.settings.cores === null ? null : coresMs / (cores * spanMs),
      cpuWait: this.settings.cores === null ? null : waitingMs / spanMs,
    };
    this.#completed = 0;
    this.#busyMs = 0;
    this.#workedMs = 0;
    this.#readyMs = 0;
    return tick;
  }

  /**
   * While nothing is queued, nobody waits for a worker to end: who has ended is only looked at when the next request comes, which
   * saves half of all events.
   */
  #watch(): void {
    const needed =
      this.#queue.length > 0 || this.#draining > 0 || this.settings.cores !== null || this.requests.done !== undefined;
    if (needed && !this.#watched) {
      this.#settle();
      this.#findNext();
    }
    this.#watched = needed;
  }

  /** Counts what has ended by now. */
  #settle(): void {
    if (this.#watched) return;
    for (let i = 0; i < this.#workers; i++) if (this.#endsAt[i]! <= this.now) this.#finish(i, this.#endsAt[i]!);
  }

  /** Before the number of workers changes: what those that there were have cost until now. */
  #clock(): void {
    const passed = this.now - this.#clockedAt;
    if (this.now > this.countFrom) this.workerMs += Math.min(passed, this.now - this.countFrom) * this.#workers;
    this.#readyMs += passed * this.#ready;
    this.#clockedAt = this.now;
  }

  #start(worker: number, arrivedAt: number, serviceMs: number): void {
    this.#arrivedAt[worker] = arrivedAt;
    this.#startedAt[worker] = this.now;
    const endsAt = this.#work + serviceMs;
    this.#endsAt[worker] = endsAt;
    this.#running++;
    if (endsAt >= this.#nextEnd) return;
    this.#next = worker;
    this.#nextEnd = endsAt;
  }

  #end(worker: number): void {
    this.#finish(worker, this.now);
    if (this.#state[worker] === DRAINING) {
      this.#draining--;
      this.#drop(worker);
    } else {
      this.#findNext();
      this.#serve(worker);
    }
  }

  #finish(worker: number, at: number): void {
    const startedAt = this.#startedAt[worker]!;
    const arrivedAt = this.#arrivedAt[worker]!;
    this.#completed++;
    this.#busyMs += at - startedAt;
    this.#workedMs += at - Math.max(startedAt, this.#tickAt);
    this.#endsAt[worker] = NEVER;
    this.#running--;
    if (arrivedAt >= this.countFrom) this.#answered(at - arrivedAt);
  }

  /** Time that was spent within this tick on what is not ended yet. */
  #workedSoFar(): number {
    let ms = 0;
    for (let i = 0; i < this.#workers; i++)
      if (this.#endsAt[i] !== NEVER) ms += this.now - Math.max(this.#startedAt[i]!, this.#tickAt);
    return ms;
  }

  #admit(): void {
    for (let i = 0; i < this.#workers; i++) {
      if (this.#state[i] !== BOOTING || this.#readyAt[i]! > this.now) continue;
      this.#clock();
      this.#state[i] = READY;
      this.#ready++;
      this.#serve(i);
    }
  }

  #serve(worker: number): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#expire();
    if (queue.length === 0) return;
    this.#start(worker, queue.arrivedAt, queue.serviceMs);
    queue.shift();
  }

  #expire(): void {
    const queue = this.#queue;
    const { deadlineMs } = this.settings;
    while (queue.length > 0 && queue.arrivedAt + deadlineMs <= this.now) {
      if (queue.arrivedAt >= this.countFrom) this.latencies[Math.min(LONGEST_MS, Math.round(deadlineMs))]!++;
      queue.shift();
      this.requests.done?.(this.now);
    }
  }

  #answered(latencyMs: number): void {
    if (latencyMs <= this.settings.deadlineMs) this.good++;
    // The quick way to round: this is done for each of tens of millions of requests.
    this.latencies[latencyMs < LONGEST_MS ? (latencyMs + 0.5) | 0 : LONGEST_MS]!++;
  }

  #findNext(): void {
    let next = -1;
    let least = NEVER;
    for (let i = 0; i < this.#workers; i++) {
      const endsAt = this.#endsAt[i]!;
      if (endsAt >= least) continue;
      least = endsAt;
      next = i;
    }
    this.#next = next;
    this.#nextEnd = least;
  }

  #nextReady(): number {
    let least = NEVER;
    for (let i = 0; i < this.#workers; i++)
      if (this.#state[i] === BOOTING && this.#readyAt[i]! < least) least = this.#readyAt[i]!;
    return least;
  }

  /** Somebody who has nothing to do; -1: nobody. */
  #free(): number {
    for (let i = 0; i < this.#workers; i++) {
      const endsAt = this.#endsAt[i]!;
      if (this.#state[i] !== READY || (endsAt !== NEVER && (this.#watched || endsAt > this.now))) continue;
      if (endsAt !== NEVER) this.#finish(i, endsAt);
      return i;
    }
    return -1;
  }

  #count(state: number): number {
    let count = 0;
    for (let i = 0; i < this.#workers; i++) if (this.#state[i] === state) count++;
    return count;
  }

  #countIdle(): number {
    let count = 0;
    for (let i = 0; i < this.#workers; i++) if (this.#state[i] === READY && this.#endsAt[i] === NEVER) count++;
    return count;
  }
}
