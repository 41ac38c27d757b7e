import { describe, expect, it } from 'vitest';
import type { BalancerName } from '../../../src/config/types.js';
import type { AbortMessage, PredictMessage } from '../../../src/worker/protocol.js';
import { turn } from '../../support/fake-pool.js';
import { Bench, FakeSlot } from '../fake-slots.js';

const SERVICE_MS = 80;
/** Of what four workers that run four at once could do, if one were five times slower: 70 %. */
const PER_SECOND = 112;
const CONCURRENCY = 4;

/** Answers by itself: after `SERVICE_MS` times its factor, and a little more or less. */
class TimedSlot extends FakeSlot {
  factor = 1;

  constructor(
    worker: string,
    private readonly bench: Bench,
    private readonly draw: () => number,
  ) {
    super(worker);
  }

  override send(message: PredictMessage | AbortMessage): void {
    super.send(message);
    if (message.type !== 'predict') return;
    this.bench.clock.setTimeout(() => this.bench.answer(this), SERVICE_MS * this.factor + 15 * this.draw());
  }
}

/** Four workers, the first of them slow, and requests at an even rate. */
class Simulation {
  readonly bench: Bench;
  readonly slots: TimedSlot[];
  #latenciesMs: number[] = [];
  #seed = 7;

  constructor(strategy: BalancerName) {
    const batching = { maxSize: 1, maxDelayMs: 0, preferred: [] };
    this.bench = new Bench({ strategy, concurrency: CONCURRENCY, batching, timeoutMs: 60_000 });
    const draw = () => {
      this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return this.#seed / 2 ** 31;
    };
    this.slots = [1, 2, 3, 4].map((n) => new TimedSlot(`w/${n}`, this.bench, draw));
    this.slots[0]!.factor = 5;
    for (const slot of this.slots) this.bench.dispatcher.add(slot);
    this.#next();
  }

  /** What the workers got in so many seconds, and how late the answers to it were. */
  async run(seconds: number): Promise<{ share: number; p99Ms: number }> {
    for (const slot of this.slots) slot.sent.length = 0;
    this.#latenciesMs = [];
    // Promises settle between the seconds; when they do does not matter, for the time is taken before.
    for (let second = 0; second < seconds; second++) {
      this.bench.advance(1000);
      await turn();
    }
    const sent = this.slots.map((slot) => slot.sent.length);
    const sorted = this.#latenciesMs.sort((a, b) => a - b);
    return {
      share: (sent[0] as number) / sent.reduce((sum, count) => sum + count, 0),
      p99Ms: sorted[Math.floor(0.99 * sorted.length)] as number,
    };
  }

  #next(): void {
    const { clock } = this.bench;
    clock.setTimeout(() => {
      this.bench.submit(['x']).then(([result]) => {
        if (result?.ok) this.#latenciesMs.push(result.queueMs + SERVICE_MS * this.#factorOf(result.worker));
      });
      this.bench.turn();
      this.#next();
    }, 1000 / PER_SECOND);
  }

  #factorOf(worker: string): number {
    return this.slots.find((slot) => slot.worker === worker)?.factor ?? 1;
  }
}

describe('with one of four workers five times slower', () => {
  it('least_response_time halves the p99 of round_robin', async () => {
    const p99 = async (strategy: BalancerName) => {
      const simulation = new Simulation(strategy);
      await simulation.run(5);
      return (await simulation.run(30)).p99Ms;
    };
    expect(await p99('least_response_time')).toBeLessThan(0.5 * (await p99('round_robin')));
  });

  it('least_response_time hardly uses it, and finds out when it has recovered', async () => {
    const simulation = new Simulation('least_response_time');
    await simulation.run(5);
    expect((await simulation.run(30)).share).toBeLessThan(0.02);
    simulation.slots[0]!.factor = 1;
    await simulation.run(60);
    expect((await simulation.run(20)).share).toBeGreaterThan(0.15);
  });

  it('weighted_round_robin gives it less than the others', async () => {
    const simulation = new Simulation('weighted_round_robin');
    await simulation.run(5);
    const weighted = (await simulation.run(30)).share;
    expect(weighted).toBeLessThan(0.1);
    expect(weighted).toBeGreaterThan(0.02);
  });
});
