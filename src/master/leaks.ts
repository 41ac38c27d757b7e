import type { App } from '../apps/app.js';
import type { PolicyDecision } from '../policy/decision.js';
import { decideLeak, type Growth, type HeapPoint, MemoryHistory } from '../policy/leak.js';
import type { Pool } from '../pool/pool.js';
import type { Vitals } from '../worker/protocol.js';
import type { Worker } from '../worker/worker.js';
import type { DecisionLog } from './decisions.js';

/** How often a worker's history is judged, as a share of its window: a slope over minutes does not change within seconds. */
const JUDGE_SHARE = 1 / 30;
/** A worker that can't collect on demand is not asked at each look: no sooner than after this share of the window. */
const ASK_SHARE = 1 / 6;

interface Watched {
  history: MemoryHistory;
  /** Of the life that it belongs to. */
  startedAt: number;
  growth: Growth | null;
  judgedAt: number;
  suspectedAt: number | null;
  /** When it was last asked to collect garbage. */
  askedAt: number | null;
}

/** Follows the memory of each worker over minutes, and says which ones grow without end. */
export class Leaks {
  readonly #watched = new Map<Worker, Watched>();

  constructor(private readonly decisions: DecisionLog) {}

  growth(worker: Worker): Growth | null {
    return this.#watched.get(worker)?.growth ?? null;
  }

  suspected(worker: Worker): boolean {
    return this.#watched.get(worker)?.suspectedAt != null;
  }

  /** After each sample. */
  tick(apps: readonly App[], now: number): void {
    const present = new Set<Worker>();
    for (const app of apps)
      for (const pool of app.pools.values())
        for (const worker of pool.workers) {
          if (worker.state !== 'ready' && worker.state !== 'unhealthy') continue;
          present.add(worker);
          this.#follow(app, pool, worker, now);
        }
    for (const worker of this.#watched.keys()) if (!present.has(worker)) this.#watched.delete(worker);
  }

  #follow(app: App, pool: Pool, worker: Worker, now: number): void {
    const { leak } = app.config;
    const { latestBytes, vitals } = worker.readings;
    let watched = this.#watched.get(worker);
    if (watched?.startedAt !== worker.startedAt) {
      // Spread: each worker is judged in another tick.
      const judgedAt = now - ((worker.slot * 1000) % (leak.windowMs * JUDGE_SHARE));
      const history = new MemoryHistory(leak);
      watched = { history, startedAt: worker.startedAt, growth: null, judgedAt, suspectedAt: null, askedAt: null };
      this.#watched.set(worker, watched);
    }
    watched.history.configure(leak);
    if (latestBytes !== null) watched.history.add({ at: now, bytes: latestBytes }, vitals && heapOf(vitals));
    if (now - watched.judgedAt < leak.windowMs * JUDGE_SHARE) return;
    watched.judgedAt = now;
    watched.growth = watched.history.growth(worker.limits.maxMemoryBytes);
    const decision = decideLeak(watched.growth, leak);
    if (decision.action === 'hold') return;
    if (decision.action === 'collect') {
      this.#collect(worker, watched, decision, now, leak.windowMs);
      return;
    }
    // Said once a window: it goes on growing, and everybody knows.
    if (watched.suspectedAt !== null && now - watched.suspectedAt < leak.windowMs) return;
    watched.suspectedAt = now;
    this.decisions.add(worker.id, 'leak', decision);
    if (!leak.recycle || !pool.isReplaceable(worker)) return;
    pool.recycling.replace(worker, 'leak', {
      action: 'recycle',
      reason: decision.reason,
      numbers: { ...decision.numbers, memory_bytes: latestBytes },
    });
  }

  #collect(worker: Worker, watched: Watched, decision: PolicyDecision, now: number, windowMs: number): void {
    if (watched.askedAt !== null && now - watched.askedAt < windowMs * ASK_SHARE) return;
    watched.askedAt = now;
    this.decisions.add(worker.id, 'leak', decision);
    void worker.cleaning.ask('trim');
  }
}

function heapOf({ heapUsedBytes, heapTotalBytes, externalBytes, liveBytes }: Vitals): HeapPoint {
  return { usedBytes: heapUsedBytes + externalBytes, heldBytes: heapTotalBytes + externalBytes, liveBytes };
}
