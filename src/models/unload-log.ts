import type { UnloadCause, UnloadRecord, UnloadTotals } from '../master/unloading-status.js';

const NO_CAUSES: Readonly<Record<UnloadCause, number>> = {
  pressure: 0,
  pattern: 0,
  preference: 0,
  adaptive: 0,
  room: 0,
  emergency: 0,
  manual: 0,
};

export const NO_UNLOADS: UnloadTotals = {
  total: 0,
  succeeded: 0,
  failed: 0,
  freedBytes: 0,
  seconds: 0,
  lastAt: null,
  lastLabel: null,
  byLabel: {},
  lastError: null,
  byCause: NO_CAUSES,
  regretted: 0,
};

/** How unloading came out since the master started: of each model, and of all together. */
export class UnloadLog {
  #all = NO_UNLOADS;
  readonly #byModel = new Map<string, UnloadTotals>();

  /** Models that are gone count. */
  get all(): UnloadTotals {
    return this.#all;
  }

  /** @param model `app@version` */
  of(model: string): UnloadTotals {
    return this.#byModel.get(model) ?? NO_UNLOADS;
  }

  add(record: UnloadRecord): void {
    this.#all = sum(this.#all, record);
    this.#byModel.set(record.model, sum(this.of(record.model), record));
  }

  /** A request loaded it again, soon after it was unloaded. */
  regret(model: string): void {
    this.#all = { ...this.#all, regretted: this.#all.regretted + 1 };
    const own = this.of(model);
    this.#byModel.set(model, { ...own, regretted: own.regretted + 1 });
  }
}

function sum(totals: UnloadTotals, { cause, label, at, seconds, freedBytes, error }: UnloadRecord): UnloadTotals {
  const ok = error === null;
  return {
    ...totals,
    total: totals.total + 1,
    succeeded: totals.succeeded + (ok ? 1 : 0),
    failed: totals.failed + (ok ? 0 : 1),
    freedBytes: totals.freedBytes + Math.max(0, freedBytes ?? 0),
    seconds: totals.seconds + seconds,
    lastAt: at + seconds * 1000,
    lastLabel: label,
    lastError: error ?? totals.lastError,
    byLabel: { ...totals.byLabel, [label]: (totals.byLabel[label] ?? 0) + 1 },
    byCause: { ...totals.byCause, [cause]: totals.byCause[cause] + 1 },
  };
}
