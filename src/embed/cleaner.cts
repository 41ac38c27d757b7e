/** A cleanup: hooks first, then the garbage that they made. */
import type { CleanupRequest } from '../worker/protocol.js' with { 'resolution-mode': 'import' };
import type { CleanupOutcome, NamedHook } from './cleanup-hook.js' with { 'resolution-mode': 'import' };

import hooks = require('./cleanup-hooks.cjs');
import garbage = require('./collect-garbage.cjs');

/** Hooks get 3 s of it at most. */
const CLEANUP_DEADLINE_MS = 4500;

const now = performance.now.bind(performance);
const residentBytes = process.memoryUsage.rss.bind(process.memoryUsage);

class Cleaner {
  readonly #running = new Map<CleanupRequest, Promise<CleanupOutcome>>();

  constructor(private readonly whom: () => Iterable<NamedHook> = hooks.registeredHooks) {}

  /**
   * Joins one that runs, unless that one does less: an emergency does not wait for a trim whose hooks may hang. Comes within 5 s as
   * long as the loop turns, and rejects only where memory can't be measured.
   */
  clean(level: CleanupRequest): Promise<CleanupOutcome> {
    const running = this.#running.get('emergency') ?? this.#running.get(level);
    if (running) return running;
    const cleanup = this.#clean(level).finally(() => this.#running.delete(level));
    this.#running.set(level, cleanup);
    return cleanup;
  }

  async #clean(level: CleanupRequest): Promise<CleanupOutcome> {
    const deadlineMs = now() + CLEANUP_DEADLINE_MS;
    const before = measure();
    const errors = level === 'collect' ? [] : await hooks.runHooks(this.whom(), level);
    const passes = await garbage.collectGarbage(deadlineMs);
    return { passes, before, after: measure(), errors };
  }
}

/** This isolate, and its process. */
function measure(): CleanupOutcome['before'] {
  return { liveBytes: garbage.liveBytes(), rssBytes: residentBytes() };
}

export = { Cleaner, measure };
