import type { App } from '../apps/app.js';
import type { Clock } from '../clock.js';
import type { Config } from '../config/schema.js';
import type { Hooks } from '../monitor/hooks.js';
import type { Pool } from '../pool/pool.js';
import { Sampler } from '../sensing/sampler.js';
import type { Snapshot } from '../sensing/snapshot.js';
import { Box } from './box.js';
import type { DecisionLog } from './decisions.js';
import { Leaks } from './leaks.js';
import { MemoryLadder } from './memory-ladder.js';
import { Resources } from './resources.js';
import { Sampling } from './sampling.js';

export interface ObservationDependencies {
  clock: Clock;
  /** The disk that this is on is the one that is watched. */
  diskPath: string;
  apps: () => readonly App[];
  decisions: DecisionLog;
  hooks: Hooks;
  warn: (text: string) => void;
  /** Memory was measured; monotonic ms. */
  sampled: (at: number) => void;
  mayEvict: (pool: Pool) => boolean;
  /** Unloads an idle model at once. */
  evict: (pool: Pool, reason: string) => Promise<void>;
}

/** From a sample to what follows from it, in one fixed order: readings, pressure, each pool's policies, leaks, the box's ladder. */
export class Observation {
  readonly box: Box;
  readonly leaks: Leaks;
  readonly resources: Resources;
  readonly sampling: Sampling;
  readonly #ladder: MemoryLadder;

  constructor(private readonly deps: ObservationDependencies) {
    const { clock, apps, decisions, warn, diskPath, hooks, sampled, mayEvict, evict } = deps;
    this.box = new Box({
      decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
      pressureChanged: (change) => hooks.pressure(change),
    });
    this.leaks = new Leaks(decisions);
    this.#ladder = new MemoryLadder({ clock, box: this.box, apps, decisions, warn, mayEvict, evict });
    this.sampling = new Sampling({
      clock,
      apps,
      sampler: new Sampler({ clock, diskPath, warn }),
      onSnapshot: (snapshot, stalled) => this.#follow(snapshot, stalled),
      boxClose: () => this.#isBoxClose(),
      onUsed: (usedBytes, now) => {
        this.box.seeUsed(usedBytes, now);
        this.#ladder.tick();
        sampled(now);
      },
    });
    this.resources = new Resources({
      clock,
      box: this.box,
      leaks: this.leaks,
      ladder: this.#ladder,
      decisions,
      apps,
      usedNow: () => this.sampling.usedNow(),
    });
  }

  /** What the ruling configuration says of the whole box. Saying the same again changes nothing. */
  configure(config: Config): void {
    this.box.configure(config);
    this.sampling.intervalMs = config.sensing.intervalMs;
  }

  close(): void {
    this.sampling.close();
  }

  #follow(snapshot: Snapshot, stalled: boolean): void {
    const apps = this.deps.apps();
    this.box.see(snapshot);
    const running = apps.flatMap((app) => [...app.pools.values()]).filter((pool) => pool.phase === 'running').length;
    const facts = this.box.facts(running);
    for (const app of apps) app.tick(snapshot.at, stalled, facts);
    this.leaks.tick(apps, snapshot.at);
    this.#ladder.tick();
    this.deps.sampled(snapshot.at);
    this.resources.tick(snapshot.at);
  }

  /** From the first rung on, memory may be gone before the next sample. */
  #isBoxClose(): boolean {
    const { usedShare } = this.box;
    const thresholds = this.box.ladderThresholds();
    return usedShare !== null && thresholds !== null && usedShare >= thresholds.cleanup;
  }
}
