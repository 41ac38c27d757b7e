import type { Clock } from '../clock.js';
import type { PolicyDecision } from '../policy/decision.js';
import { cooldownOf, decideHealth, type HealthFacts } from '../policy/health.js';
import type { ResultMessage } from '../worker/protocol.js';
import type { Worker } from '../worker/worker.js';
import type { Service } from './work.js';

export interface HealthDependencies {
  clock: Clock;
  /** Undefined: nothing is known of how the workers serve, and nothing is checked here. */
  service: Service | undefined;
  decided: (subject: string, policy: string, decision: PolicyDecision) => void;
  /** Those that serve, or would if they were well. */
  workers: () => Worker[];
  inFlight: (worker: Worker) => number;
  /** A fresh one takes over. False: not now. */
  replace: (worker: Worker, decision: PolicyDecision) => unknown;
}

/** Batches before a worker is compared with others. */
const LEAST_SAMPLES = 20;
/** Weight of the latest batch in the share that failed. */
const SHARE_WEIGHT = 0.05;
/** After a failed check the next one comes sooner. */
const HURRY = 0.1;

/** What is known of one life of a worker. */
class Record {
  outUntil: number | null = null;
  onTrial = false;
  ejections = 0;
  returnedAt = Number.NEGATIVE_INFINITY;
  failedChecks = 0;
  checkFailure: string | null = null;
  failedProbes = 0;
  failedBatches = 0;
  failingSince: number | null = null;
  succeededAt: number | null = null;
  failureShare: number | null = null;

  constructor(
    readonly startedAt: number,
    public checkedAt: number,
  ) {}

  batch(failed: boolean, now: number): void {
    const share = this.failureShare ?? (failed ? 1 : 0);
    this.failureShare = share + SHARE_WEIGHT * ((failed ? 1 : 0) - share);
    if (failed) {
      this.failedBatches++;
      this.failingSince ??= now;
      return;
    }
    this.failedBatches = 0;
    this.failingSince = null;
    this.succeededAt = now;
  }
}

/** Asks idle workers whether they are well, sees how their predictions end, and acts on what the policy makes of it. */
export class Health {
  readonly #records = new WeakMap<Worker, Record>();
  #replacements = 0;
  #replaceAfter = Number.NEGATIVE_INFINITY;

  constructor(private readonly deps: HealthDependencies) {}

  tick(now: number): void {
    const { service } = this.deps;
    if (!service) return;
    for (const worker of this.deps.workers()) this.#checkIfDue(worker, service, now);
    this.#decide(service, now);
  }

  /** A batch came back. */
  observe(worker: Worker, { outcomes }: ResultMessage): void {
    const { service, clock } = this.deps;
    if (!service) return;
    const now = clock.now();
    const record = this.#of(worker, now);
    const failed = !outcomes.some((outcome) => outcome.ok);
    record.batch(failed, now);
    if (failed) this.#decide(service, now);
    else if (record.onTrial && worker.state === 'ready') this.#trusted(worker, record, service);
  }

  #trusted(worker: Worker, record: Record, service: Service): void {
    record.onTrial = false;
    service.limit(worker, null);
    this.deps.decided(worker.id, 'health', {
      action: 'recovered',
      reason: 'its first prediction after it was out succeeded',
      numbers: { ejections: record.ejections },
    });
  }

  #decide(service: Service, now: number): void {
    const workers = this.deps.workers();
    const facts = workers.map((worker) => this.#factsOf(worker, service, now));
    const situation = { now, usualMs: service.usualMs, replaceAfter: this.#replaceAfter };
    for (const { worker: id, ...decision } of decideHealth(facts, service.config, situation)) {
      const worker = workers.find((each) => each.id === id) as Worker;
      switch (decision.action) {
        case 'eject':
          this.#eject(worker, decision, service, now);
          break;
        case 'probe':
          void this.#probe(worker, service);
          break;
        case 'replace':
          this.#replace(worker, decision, service, now);
          break;
        case 'hold':
          this.deps.decided(id, 'health', decision);
      }
    }
  }

  #eject(worker: Worker, decision: PolicyDecision, service: Service, now: number): void {
    const record = this.#of(worker, now);
    record.outUntil = now + cooldownOf(record.ejections++, service.config.cooldownMs);
    record.onTrial = false;
    record.failedProbes = 0;
    this.deps.decided(worker.id, 'health', decision);
    worker.sick(decision.reason);
    service.suspend(worker);
  }

  /** Its cooldown is over: one check, then one input at a time until the first answer. */
  async #probe(worker: Worker, service: Service): Promise<void> {
    if (worker.checking.asking) return;
    const { clock, decided } = this.deps;
    const checked = await worker.checking.ask(service.config.checkTimeoutMs);
    const now = clock.now();
    const record = this.#of(worker, now);
    if (checked === null || record.outUntil === null || worker.state !== 'unhealthy') return;
    if (!checked.ok) {
      record.failedProbes++;
      record.checkFailure = checked.why;
      const cooldownMs = cooldownOf(record.ejections++, service.config.cooldownMs);
      record.outUntil = now + cooldownMs;
      const numbers = { ejections: record.ejections, cooldown_ms: cooldownMs };
      decided(worker.id, 'health', { action: 'stays out', reason: checked.why, numbers });
      return;
    }
    record.outUntil = null;
    record.onTrial = true;
    record.returnedAt = now;
    record.failedChecks = record.failedProbes = record.failedBatches = 0;
    record.failingSince = null;
    const numbers = { ejections: record.ejections };
    decided(worker.id, 'health', {
      action: 'return',
      reason: 'it is well again, and is tried with one input',
      numbers,
    });
    worker.recovered();
    service.limit(worker, 1);
  }

  #replace(worker: Worker, decision: PolicyDecision, service: Service, now: number): void {
    if (this.deps.replace(worker, decision) === false) return;
    this.#replaceAfter = now + cooldownOf(this.#replacements++, service.config.cooldownMs);
  }

  #checkIfDue(worker: Worker, service: Service, now: number): void {
    if (worker.state !== 'ready' || worker.checking.asking || this.deps.inFlight(worker) > 0) return;
    const record = this.#of(worker, now);
    const { intervalMs } = service.config;
    // Forgotten once it has been well for as long as it could be out.
    if (record.ejections > 0 && now - record.returnedAt > service.config.cooldownMs) record.ejections = 0;
    // A good answer is as good as a check; but one that says it is not well has to take that back itself.
    const due =
      record.failedChecks > 0
        ? record.checkedAt + intervalMs * HURRY
        : Math.max(record.checkedAt, record.succeededAt ?? 0) + intervalMs;
    if (now < due) return;
    record.checkedAt = now;
    void this.#check(worker, record, service);
  }

  async #check(worker: Worker, record: Record, service: Service): Promise<void> {
    // A model that takes one prediction at a time would get a second one.
    service.limit(worker, 0);
    const checked = await worker.checking.ask(service.config.checkTimeoutMs);
    if (checked === null || this.#records.get(worker) !== record) return;
    if (worker.state === 'ready') service.limit(worker, record.onTrial ? 1 : null);
    if (checked.ok) {
      record.failedChecks = 0;
      this.#replacements = 0;
      return;
    }
    record.failedChecks++;
    record.checkFailure = checked.why;
  }

  #factsOf(worker: Worker, service: Service, now: number): HealthFacts {
    const record = this.#of(worker, now);
    const pace = service.comparable ? service.pace(worker) : null;
    return {
      worker: worker.id,
      outUntil: record.outUntil,
      onTrial: record.onTrial,
      ejections: record.ejections,
      failedChecks: record.failedChecks,
      checkFailure: record.checkFailure,
      failedProbes: record.failedProbes,
      failedBatches: record.failedBatches,
      failingSince: record.failingSince,
      succeededAt: record.succeededAt,
      failureShare: record.failureShare,
      pace: pace && pace.batches >= LEAST_SAMPLES ? pace.relative : null,
    };
  }

  /** Of its present life: a restarted worker is a new one. */
  #of(worker: Worker, now: number): Record {
    let record = this.#records.get(worker);
    if (record?.startedAt !== worker.startedAt) {
      record = new Record(worker.startedAt, worker.readyAt ?? now);
      this.#records.set(worker, record);
    }
    return record;
  }
}
