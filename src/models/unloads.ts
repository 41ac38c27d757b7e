import type { Clock } from '../clock.js';
import type { UnloadCause, UnloadRecord } from '../master/unloading-status.js';
import type { PolicyDecision } from '../policy/decision.js';
import type { MemoryLedger } from './memory-ledger.js';
import type { Model } from './model.js';
import { ModelMemory } from './model-memory.js';

export interface UnloadsDependencies {
  clock: Clock;
  ledger: MemoryLedger<Model>;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Whether what it brings is measured. */
  tracks: () => boolean;
  /** What the whole box uses, as it was measured last. */
  usedBytes: () => number | null;
  /** Its queue may have to open or close. */
  changed: (model: Model) => void;
  /** The last worker of one has ended. */
  gone: () => void;
  /** And what its processes gave back is measured, where it is tracked. */
  ended: (record: UnloadRecord) => void;
}

/** Who wanted it, and why. */
export interface UnloadRequest {
  cause: UnloadCause;
  /** As reasons are counted. */
  label: string;
  /** Whose decision it is. */
  policy: string;
  reason: string;
  numbers?: PolicyDecision['numbers'];
}

/** Less than this share of what it took came back: something holds on to it. */
const CAME_BACK = 0.5;
const MIB = 1024 ** 2;

/** Takes models out of memory, and measures what that brings. What is in flight is finished, what is queued loads them again. */
export class Unloads {
  /** Ended, and not seen by a sample yet; each is told once it is. */
  #ended: { endedAt: number; tell: (boxAfterBytes: number | null) => void }[] = [];
  #underWay = 0;

  constructor(private readonly deps: UnloadsDependencies) {}

  /** Nothing is on its way out, and all that went, or was trimmed, is measured. */
  get settled(): boolean {
    return this.#underWay === 0 && this.#ended.length === 0;
  }

  /** Does nothing to one that is not loaded. */
  begin(model: Model, { cause, label, policy, reason, numbers = {} }: UnloadRequest): void {
    const { pool } = model;
    if (!model.loaded) return;
    const { clock, ledger, decided, changed, gone, usedBytes } = this.deps;
    const size = model.measured();
    model.learnSize();
    const memory = new ModelMemory(model);
    const tracked = this.deps.tracks();
    const beforeBytes = tracked ? memory.before : null;
    const at = clock.wall();
    const startedAt = clock.now();
    const boxBeforeBytes = usedBytes();
    const known = beforeBytes ?? size.bytes;
    decided(model.name, policy, {
      action: 'unload',
      reason,
      numbers: { ...numbers, memory_bytes: known === null ? null : Math.round(known) },
    });
    ledger.leaves(model, size);
    model.counts.unloads++;
    model.loadedAt = null;
    model.unloaded = { at: startedAt, cause };
    pool.setSize(0);
    this.#underWay++;
    const unloading = pool.gone().finally(() => {
      if (model.unloading === unloading) model.unloading = null;
      const endedAt = clock.now();
      ledger.left(model, endedAt);
      // A host that serves again tells nothing of what has gone.
      const afterBytes = tracked && !model.loaded ? memory.now() : null;
      this.#underWay--;
      const record: UnloadRecord = {
        model: model.name,
        cause,
        label,
        at,
        seconds: (endedAt - startedAt) / 1000,
        beforeBytes,
        afterBytes,
        freedBytes: beforeBytes === null || afterBytes === null ? null : beforeBytes - afterBytes,
        // A process that is kept has passed a measurement of its own; one that others share is theirs, too.
        error:
          memory.failure() ??
          (pool.keptPid === null && model.config.threadHost === null ? whatStayed(beforeBytes, afterBytes) : null),
      };
      this.deps.ended(record);
      this.#ended.push({ endedAt, tell: (boxAfterBytes) => this.#tell(record, boxBeforeBytes, boxAfterBytes) });
      gone();
    });
    model.unloading = unloading;
    changed(model);
  }

  /** Memory was measured at `at`, monotonic ms: what has ended before that is in it. */
  sampled(at: number): void {
    const seen = this.#ended.filter(({ endedAt }) => endedAt < at);
    if (seen.length === 0) return;
    this.#ended = this.#ended.filter(({ endedAt }) => endedAt >= at);
    const boxAfterBytes = this.deps.usedBytes();
    for (const { tell } of seen) tell(boxAfterBytes);
  }

  /** A part of it only. Until a sample has seen what that brought, nothing is settled. */
  async trim(model: Model, reason: string): Promise<void> {
    const { clock, decided } = this.deps;
    const memory = new ModelMemory(model);
    const beforeBytes = memory.before;
    decided(model.name, 'unload', { action: 'trim', reason, numbers: { memory_bytes: beforeBytes } });
    this.#underWay++;
    await Promise.all(model.pool.workers.map((worker) => worker.cleaning.ask('trim')));
    this.#underWay--;
    const afterBytes = memory.now();
    const freed = beforeBytes === null || afterBytes === null ? null : beforeBytes - afterBytes;
    const tell = () =>
      decided(model.name, 'unload', {
        action: 'freed',
        reason: 'what its trim brought',
        numbers: { before_bytes: beforeBytes, after_bytes: afterBytes, freed_bytes: freed },
      });
    this.#ended.push({ endedAt: clock.now(), tell });
  }

  #tell(record: UnloadRecord, boxBeforeBytes: number | null, boxAfterBytes: number | null): void {
    const { model, beforeBytes, afterBytes, freedBytes, seconds, error } = record;
    this.deps.decided(model, 'unload', {
      action: 'freed',
      reason: error === null ? 'what its unloading brought' : `its unloading failed: ${error}`,
      numbers: {
        before_bytes: beforeBytes,
        after_bytes: afterBytes,
        freed_bytes: freedBytes,
        box_before_bytes: rounded(boxBeforeBytes),
        box_after_bytes: rounded(boxAfterBytes),
        took_ms: Math.round(seconds * 1000),
      },
    });
  }
}

/** Null where most of it came back, or it is not known. */
function whatStayed(beforeBytes: number | null, afterBytes: number | null): string | null {
  if (beforeBytes === null || afterBytes === null || afterBytes <= beforeBytes * (1 - CAME_BACK)) return null;
  return `${Math.round(afterBytes / MIB)} of ${Math.round(beforeBytes / MIB)} MiB did not come back`;
}

function rounded(bytes: number | null): number | null {
  return bytes === null ? null : Math.round(bytes);
}
