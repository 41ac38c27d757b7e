import type { ModelShape } from '../models/shape.js';
import type { Requests } from './requests.js';

/** One model in the box. Times are ms of the trace. */
export interface Slot {
  readonly index: number;
  readonly mb: number;
  readonly loadMs: number;
  /** It has its memory, from the beginning of its load on. */
  loaded: boolean;
  /** When its present load is over. */
  readyAt: number;
  /** When its last request ends; null before the first. */
  busyUntil: number | null;
  /** When its last request came. */
  usedAt: number;
  /** Since when a request waits for room, and how long it then takes. */
  waits: { since: number; ms: number } | null;
  unloadedAt: number;
  /** Nobody asked for its present load, and nobody has used it yet. */
  foreseen: boolean;
}

/** Who goes, and what is done unasked. All that it knows it was told before. */
export interface Contender {
  /** A request came. @param idleMs since the end of the one before; null: it is the first; 0: that one had not ended */
  used?(slot: Slot, idleMs: number | null, now: number): void;
  /** Who goes for so many MB; null: they don't make up for it. @param idle loaded, without a request */
  victims(lackMb: number, idle: readonly Slot[], now: number, wanted: Slot): readonly Slot[] | null;
  evicted?(slot: Slot, now: number): void;
  /** Once a second. */
  tick?(now: number): void;
}

/** What came of it, the warm-up left out. */
export interface Tally {
  requests: number;
  cold_starts: number;
  /** What the requests that found a model unloaded waited. */
  cold_seconds: number;
  /** What all requests waited for loads. */
  wait_seconds: number;
  /** To make room for another model. */
  evictions: number;
  /** Without anybody asking for the room. */
  early_unloads: number;
  reloads_within_2m: number;
  /** Loads that nobody had asked for. */
  prewarms: number;
  /** Requests that had to wait for somebody busy. */
  waited_for_room: number;
  /** Evictions of models that should have stayed for longer. */
  too_young: number;
}

const TICK_MS = 1000;
const SOON_MS = 120_000;
const ROUNDING_MB = 1e-6;

/** Models that share less memory than they need together. */
export class Box {
  readonly slots: readonly Slot[];
  readonly tally: Tally = {
    requests: 0,
    cold_starts: 0,
    cold_seconds: 0,
    wait_seconds: 0,
    evictions: 0,
    early_unloads: 0,
    reloads_within_2m: 0,
    prewarms: 0,
    waited_for_room: 0,
    too_young: 0,
  };
  usedMb = 0;
  #now = 0;
  #waiting: Slot[] = [];

  constructor(
    shapes: readonly ModelShape[],
    readonly budgetMb: number,
    private readonly warmUpMs: number,
  ) {
    this.slots = shapes.map(
      ({ mb, loadSeconds }, index): Slot => ({
        index,
        mb,
        loadMs: loadSeconds * 1000,
        loaded: false,
        readyAt: 0,
        busyUntil: null,
        usedAt: Number.NEGATIVE_INFINITY,
        waits: null,
        unloadedAt: Number.NEGATIVE_INFINITY,
        foreseen: false,
      }),
    );
  }

  play(requests: Requests, contender: Contender): void {
    let tickAt = TICK_MS;
    while (requests.advance()) {
      if (contender.tick)
        for (; tickAt <= requests.at; tickAt += TICK_MS) {
          this.#retry(contender, tickAt);
          this.#now = tickAt;
          contender.tick(tickAt);
        }
      this.#retry(contender, requests.at);
      this.#now = requests.at;
      this.#request(this.slots[requests.model]!, requests.ms, contender);
    }
    this.#retry(contender, Number.MAX_VALUE);
  }

  get freeMb(): number {
    return this.budgetMb - this.usedMb;
  }

  isIdle({ loaded, readyAt, busyUntil }: Slot): boolean {
    return loaded && readyAt <= this.#now && (busyUntil ?? 0) <= this.#now;
  }

  /** Nobody asked for its room. */
  unloadEarly(slot: Slot): void {
    if (this.#counts) this.tally.early_unloads++;
    this.#unload(slot);
  }

  /** Loads what nobody asked for, where there is room. @returns whether there was */
  prewarm(slot: Slot): boolean {
    if (slot.loaded || slot.waits !== null || slot.mb > this.freeMb + ROUNDING_MB) return false;
    if (this.#counts) this.tally.prewarms++;
    this.#load(slot);
    slot.foreseen = true;
    return true;
  }

  /** Only models that should stay for longer can make room. */
  tooYoung(): void {
    if (this.#counts) this.tally.too_young++;
  }

  /** For somebody else. */
  evict(slot: Slot): void {
    if (this.#counts) this.tally.evictions++;
    this.#unload(slot);
  }

  get #counts(): boolean {
    return this.#now >= this.warmUpMs;
  }

  #request(slot: Slot, ms: number, contender: Contender): void {
    const now = this.#now;
    const idleMs = slot.busyUntil === null ? null : Math.max(0, now - slot.busyUntil);
    if (this.#counts) this.tally.requests++;
    contender.used?.(slot, idleMs, now);
    slot.usedAt = now;
    // Joins the one that waits for room.
    if (slot.waits !== null) return;
    if (!slot.loaded) {
      if (this.#coldStart(slot, ms, now, contender)) return;
      slot.waits = { since: now, ms };
      slot.busyUntil = Number.POSITIVE_INFINITY;
      this.#waiting.push(slot);
      if (this.#counts) this.tally.waited_for_room++;
      return;
    }
    const waitMs = Math.max(0, slot.readyAt - now);
    if (waitMs > 0 && this.#counts) {
      this.tally.wait_seconds += waitMs / 1000;
      if (slot.foreseen) {
        this.tally.cold_starts++;
        this.tally.cold_seconds += waitMs / 1000;
      }
    }
    slot.foreseen = false;
    slot.busyUntil = Math.max(slot.busyUntil ?? 0, now + waitMs + ms);
  }

  /** @returns whether there is room for it */
  #coldStart(slot: Slot, ms: number, since: number, contender: Contender): boolean {
    const now = this.#now;
    const lackMb = slot.mb - this.freeMb;
    if (lackMb > 0) {
      const idle = this.slots.filter((other) => other !== slot && this.isIdle(other));
      const victims = contender.victims(lackMb, idle, now, slot);
      if (victims === null) return false;
      for (const victim of victims) {
        this.evict(victim);
        contender.evicted?.(victim, now);
      }
      if (slot.mb > this.freeMb + ROUNDING_MB) throw new Error('the victims do not make room');
    }
    if (this.#counts) {
      const waitedSeconds = (now - since + slot.loadMs) / 1000;
      this.tally.cold_starts++;
      this.tally.cold_seconds += waitedSeconds;
      this.tally.wait_seconds += waitedSeconds;
    }
    this.#load(slot);
    slot.busyUntil = slot.readyAt + ms;
    return true;
  }

  #load(slot: Slot): void {
    if (this.#counts && this.#now - slot.unloadedAt <= SOON_MS) this.tally.reloads_within_2m++;
    slot.loaded = true;
    slot.foreseen = false;
    slot.readyAt = this.#now + slot.loadMs;
    this.usedMb += slot.mb;
  }

  #unload(slot: Slot): void {
    if (!this.isIdle(slot)) throw new Error(`model ${slot.index} is not idle`);
    slot.loaded = false;
    slot.unloadedAt = this.#now;
    this.usedMb -= slot.mb;
  }

  /** Whoever waits for room tries again each time that a model becomes idle. */
  #retry(contender: Contender, until: number): void {
    while (this.#waiting.length > 0) {
      let at = Number.POSITIVE_INFINITY;
      for (const { loaded, readyAt, busyUntil } of this.slots) {
        const idleAt = Math.max(readyAt, busyUntil ?? 0);
        if (loaded && idleAt > this.#now && idleAt < at) at = idleAt;
      }
      if (at > until) return;
      this.#now = at;
      this.#waiting = this.#waiting.filter((slot) => {
        const { since, ms } = slot.waits!;
        if (!this.#coldStart(slot, ms, since, contender)) return true;
        slot.waits = null;
        return false;
      });
    }
  }
}
