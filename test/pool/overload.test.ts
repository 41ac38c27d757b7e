import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobResult } from '../../src/pool/dispatcher.js';
import { Bench, brief, FakeSlot } from './fake-slots.js';

const SERVICE_MS = 10;
const CONCURRENCY = 4;
/** A second of one worker's. */
const CAPACITY = (1000 / SERVICE_MS) * CONCURRENCY;

/** A worker that takes its time for each batch. */
class TimedSlot extends FakeSlot {
  constructor(
    worker: string,
    private readonly bench: Bench,
    private readonly serviceMs: () => number,
  ) {
    super(worker);
  }

  override send(message: Parameters<FakeSlot['send']>[0]): void {
    super.send(message);
    if (message.type !== 'predict') return;
    const computeMs = this.serviceMs();
    this.bench.clock.setTimeout(() => {
      const outcomes = message.inputs.map((output) => ({ ok: true as const, output }));
      this.bench.dispatcher.result(this.worker, { type: 'result', batch: message.batch, outcomes, computeMs });
      this.bench.turn();
    }, computeMs);
  }
}

interface Tally {
  sent: number;
  answered: number;
  codes: Record<string, number>;
}

/** Open-loop clients in virtual time. */
class Crowd {
  readonly bench: Bench;
  readonly #random: () => number;
  #replies: Promise<JobResult[]>[] = [];

  constructor({ shedding = true, seed = 1, serviceMs = SERVICE_MS, ...config }: Partial<Options> = {}) {
    this.#random = randomOf(seed);
    this.bench = new Bench({
      concurrency: CONCURRENCY,
      queueMax: 512,
      batching: { maxSize: 1, maxDelayMs: 0, preferred: [] },
      shedding,
      ...config,
    });
    const slot = new TimedSlot('w/1', this.bench, () => serviceMs * (0.5 + this.#random()));
    this.bench.dispatcher.add(slot);
  }

  /** So many in a second, for so long, at random moments. */
  come(perSecond: number, ms: number, priority = 0): void {
    let untilNext = this.#gap(perSecond);
    for (let now = 0; now < ms; now++) {
      for (; untilNext < 1; untilNext += this.#gap(perSecond)) this.submit(priority);
      untilNext--;
      this.bench.advance(1);
    }
  }

  submit(priority = 0): void {
    this.#replies.push(this.bench.send(['x'], { priority }));
  }

  /** Of what came since the last count; what is not over yet gets its time. */
  async count(): Promise<Tally> {
    this.bench.advance(2000);
    const results = (await Promise.all(this.#replies.splice(0))).flat();
    const codes: Record<string, number> = {};
    for (const result of results) if (!result.ok) codes[result.error.code] = (codes[result.error.code] ?? 0) + 1;
    return { sent: results.length, answered: results.filter((result) => result.ok).length, codes };
  }

  #gap(perSecond: number): number {
    return (-Math.log(1 - this.#random()) * 1000) / perSecond;
  }
}

interface Options {
  shedding: boolean;
  seed: number;
  serviceMs: number;
  queueMax: number;
  timeoutMs: number;
}

function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

const shedDecisions = (bench: Bench) => bench.decisions.filter(({ action }) => action === 'shed');

describe('overload', () => {
  it('costs no goodput: what is taken in is answered in time', async () => {
    for (const times of [1.5, 4, 10]) {
      const crowd = new Crowd();
      crowd.come(times * CAPACITY, 10_000);
      const { sent, answered, codes } = await crowd.count();
      expect(answered).toBeGreaterThan(0.9 * CAPACITY * 10);
      expect(codes.SUP_DEADLINE ?? 0).toBeLessThan(0.02 * sent);
    }
  });

  it('costs nearly everything without shedding: the test before can fail', async () => {
    const crowd = new Crowd({ shedding: false });
    crowd.come(4 * CAPACITY, 10_000);
    expect((await crowd.count()).answered).toBeLessThan(0.5 * CAPACITY * 10);
  });

  it('is explained once when it starts and once when it ends', async () => {
    const crowd = new Crowd();
    crowd.come(4 * CAPACITY, 5000);
    crowd.come(0.5 * CAPACITY, 5000);
    await crowd.count();
    const [start, end, ...rest] = shedDecisions(crowd.bench);
    expect(rest).toEqual([]);
    expect(start).toMatchObject({ reason: expect.stringContaining('overload') });
    expect(end).toMatchObject({ reason: expect.stringContaining('over') });
    expect(end?.numbers.refused).toBeGreaterThan(CAPACITY);
    crowd.come(0.5 * CAPACITY, 2000);
    const { sent, answered } = await crowd.count();
    expect(answered).toBe(sent);
  });

  it('says when to come again', async () => {
    const crowd = new Crowd();
    crowd.come(4 * CAPACITY, 3000);
    const replies = Array.from({ length: 600 }, () => crowd.bench.send(['y']));
    crowd.bench.advance(2000);
    const errors = (await Promise.all(replies)).flat().flatMap((result) => (result.ok ? [] : [result.error]));
    const shed = errors.filter(({ code }) => code === 'SUP_OVERLOADED');
    expect(shed.length).toBeGreaterThan(100);
    for (const { data } of shed) expect(data.retry_after_seconds).toBeGreaterThanOrEqual(1);
  });

  it('lets the more important ones in, at the cost of the others', async () => {
    const crowd = new Crowd();
    crowd.come(4 * CAPACITY, 3000);
    await crowd.count();
    crowd.come(4 * CAPACITY, 1500);
    const high: Promise<JobResult[]>[] = [];
    for (let i = 0; i < 500; i++) {
      high.push(crowd.bench.send(['important'], { priority: 5 }));
      crowd.come(4 * CAPACITY, 4);
    }
    crowd.bench.advance(2000);
    const answered = (await Promise.all(high)).flatMap(brief).filter((end) => end === 'important').length;
    expect(answered).toBeGreaterThan(490);
  });

  it('is not what a burst makes that can be answered in time', async () => {
    for (const timeoutMs of [1000, 30_000]) {
      const crowd = new Crowd({ timeoutMs });
      for (let burst = 0; burst < 5; burst++) {
        // Nearly as much as can be done before the deadline.
        for (let i = 0; i < 0.85 * CAPACITY; i++) crowd.submit();
        const { sent, answered } = await crowd.count();
        expect(answered).toBe(sent);
      }
      expect(shedDecisions(crowd.bench)).toEqual([]);
    }
  });

  it('is not what a load near the capacity makes by chance', async () => {
    const crowd = new Crowd();
    crowd.come(0.9 * CAPACITY, 20_000);
    const { sent, answered } = await crowd.count();
    expect(answered).toBe(sent);
  });

  it('is not what a cold start makes', async () => {
    const crowd = new Crowd();
    crowd.bench.dispatcher.remove('w/1', 'draining');
    crowd.bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 300_000 });
    crowd.come(20, 20_000);
    crowd.bench.dispatcher.setAvailability({ kind: 'up' });
    crowd.bench.dispatcher.add(new TimedSlot('w/2', crowd.bench, () => SERVICE_MS));
    crowd.bench.turn();
    const { sent, answered } = await crowd.count();
    expect(sent).toBeGreaterThan(300);
    expect(answered).toBe(sent);
    expect(shedDecisions(crowd.bench)).toEqual([]);
  });

  it('ends when shedding is switched off', async () => {
    const crowd = new Crowd();
    crowd.come(4 * CAPACITY, 3000);
    const refusedSoFar = crowd.bench.dispatcher.stats().refused;
    expect(refusedSoFar).toBeGreaterThan(0);
    crowd.bench.dispatcher.configure({ ...crowd.bench.config, shedding: false });
    crowd.come(4 * CAPACITY, 2000);
    const { codes } = await crowd.count();
    expect(codes.SUP_QUEUE_FULL).toBeGreaterThan(0);
    expect(shedDecisions(crowd.bench)).toHaveLength(2);
  });

  it('loses no goodput with any deadline and service time that leave room for each other', async () => {
    const room = fc.record({
      timeoutMs: fc.integer({ min: 200, max: 2000 }),
      share: fc.double({ min: 0.02, max: 0.25, noNaN: true }),
      times: fc.double({ min: 1.2, max: 10, noNaN: true }),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    await fc.assert(
      fc.asyncProperty(room, async ({ timeoutMs, share, times, seed }) => {
        const serviceMs = Math.max(5, timeoutMs * share);
        const capacity = (1000 / serviceMs) * CONCURRENCY;
        const crowd = new Crowd({ timeoutMs, serviceMs, seed, queueMax: 100_000 });
        const ms = Math.max(2000, 10 * timeoutMs);
        // Until it is told from a burst, and what came in until then is over.
        crowd.come(times * capacity, 3 * timeoutMs);
        const before = crowd.bench.dispatcher.stats().succeeded;
        crowd.come(times * capacity, ms);
        const answered = crowd.bench.dispatcher.stats().succeeded - before;
        // Of 300 drawn at the corners of that room (a quarter of the deadline, ten times the capacity) the least was 0.76, half are above 0.93.
        expect(answered).toBeGreaterThan((0.65 * capacity * ms) / 1000);
      }),
      { numRuns: 20 },
    );
  });
});
