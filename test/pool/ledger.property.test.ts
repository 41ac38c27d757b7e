import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BALANCERS } from '../../src/config/model-schema.js';
import type { DispatcherConfig, JobResult } from '../../src/pool/dispatcher.js';
import type { AbortMessage, PredictMessage } from '../../src/worker/protocol.js';
import { Bench, FakeSlot } from './fake-slots.js';

const CONCURRENCY = 2;
const MAX_RUNS = 1 + 1 + 3;

/** What one input has been through. */
interface Trail {
  priority: number;
  runs: number;
  /** Its worker died by its own fault: from now on it runs alone. */
  marked: boolean;
  results: JobResult[];
}

/** A worker that checks what it is sent. */
class Witness extends FakeSlot {
  gone = false;
  draining = false;

  constructor(
    worker: string,
    domain: string,
    private readonly world: World,
  ) {
    super(worker, domain);
  }

  override send(message: PredictMessage | AbortMessage): void {
    if (message.type === 'predict') this.world.check(this, message);
    super.send(message);
  }
}

/** The dispatcher, its workers and its clients, and what must hold at every moment. */
class World {
  readonly bench: Bench;
  readonly trails = new Map<string, Trail>();
  readonly slots: Witness[] = [];
  readonly past: { worker: string; message: PredictMessage }[] = [];
  readonly clients: AbortController[] = [];
  readonly settled: Promise<void>[] = [];
  readonly #firstRuns = new Map<number, number>();
  #inputs = 0;
  #workers = 0;

  constructor(private readonly config: Partial<DispatcherConfig>) {
    this.bench = new Bench({ concurrency: CONCURRENCY, queueMax: 40, ...config });
  }

  check(slot: Witness, { inputs }: PredictMessage): void {
    expect(slot.gone || slot.draining).toBe(false);
    expect(slot.open.size).toBeLessThan(CONCURRENCY);
    expect(inputs.length).toBeLessThanOrEqual(4);
    const together = this.live().filter((other) => other.domain === slot.domain && other.open.size > 0);
    for (const input of inputs) {
      const trail = this.trails.get(String(input)) as Trail;
      expect(trail.results).toEqual([]);
      if (++trail.runs === 1) this.#checkOrder(String(input), trail);
      expect(trail.runs).toBeLessThanOrEqual(MAX_RUNS);
      if (trail.marked) expect([inputs.length, together.length]).toEqual([1, 0]);
    }
    for (const other of together)
      for (const batch of other.open.values())
        for (const input of batch.inputs) expect((this.trails.get(String(input)) as Trail).marked).toBe(false);
  }

  /** First come first served within a priority. */
  #checkOrder(input: string, { priority }: Trail): void {
    // A key waits for its own worker; others pass it.
    if (this.config.strategy === 'consistent_hash') return;
    const number = Number(input);
    expect(number).toBeGreaterThan(this.#firstRuns.get(priority) ?? 0);
    this.#firstRuns.set(priority, number);
  }

  live(): Witness[] {
    return this.slots.filter((slot) => !slot.gone);
  }

  submit(count: number, priority: number, timeoutMs: number): void {
    const client = new AbortController();
    this.clients.push(client);
    const inputs = Array.from({ length: count }, () => String(++this.#inputs));
    for (const input of inputs) this.trails.set(input, { priority, runs: 0, marked: false, results: [] });
    const key = `user-${this.#inputs % 5}`;
    const reply = this.bench.submit(inputs, { priority, timeoutMs, signal: client.signal, key });
    this.settled.push(
      reply.then((results) => {
        expect(results.length).toBe(count);
        for (const [index, input] of inputs.entries()) {
          const result = results[index] as JobResult;
          if (result.ok) expect(result.output).toBe(input);
          (this.trails.get(input) as Trail).results.push(result);
        }
      }),
    );
  }

  add(domain: string): void {
    const slot = new Witness(`w/${++this.#workers}`, domain, this);
    this.slots.push(slot);
    this.bench.dispatcher.add(slot);
  }

  answer(slot: Witness, which: number): void {
    const message = [...slot.open.values()][which % Math.max(1, slot.open.size)];
    if (!message) return;
    slot.open.delete(message.batch);
    this.past.push({ worker: slot.worker, message });
    this.reply(slot.worker, message);
  }

  reply(worker: string, message: PredictMessage): void {
    const outcomes = message.inputs.map((output) => ({ ok: true as const, output }));
    this.bench.dispatcher.result(worker, { type: 'result', batch: message.batch, outcomes, computeMs: 1 });
  }

  /** All of a domain go together. */
  die(domain: string, ownFault: boolean): void {
    const dead = this.live().filter((slot) => slot.domain === domain);
    for (const slot of dead) {
      slot.gone = true;
      for (const message of slot.open.values()) {
        this.past.push({ worker: slot.worker, message });
        if (ownFault || slot.givenUp !== null)
          for (const input of message.inputs) (this.trails.get(String(input)) as Trail).marked = true;
      }
      slot.open.clear();
    }
    const how = ownFault ? 'dead-own-fault' : 'dead-by-supervisor';
    for (const slot of dead) this.bench.dispatcher.remove(slot.worker, how);
  }

  /** Whatever is left is answered, or its time passes. */
  async finish(): Promise<void> {
    this.bench.dispatcher.setAvailability({ kind: 'up' });
    this.add('last');
    for (let round = 0; round < 500 && this.bench.dispatcher.stats().queued + this.inFlight() > 0; round++) {
      // What waits for a fuller batch, or past its deadline, is over by then.
      this.bench.advance(10);
      for (const slot of this.live()) this.answer(slot, 0);
    }
    await Promise.all(this.settled);
  }

  inFlight(): number {
    return this.bench.dispatcher.stats().inFlight;
  }
}

const DOMAINS = ['p1', 'p2', 'host'];
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('submit'), n: fc.integer({ min: 1, max: 6 }), m: fc.nat(2) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer'), n: fc.nat(9), m: fc.nat(2) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turn'), n: fc.constant(0), m: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('add'), n: fc.nat(2), m: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('advance'), n: fc.integer({ min: 1, max: 400 }), m: fc.constant(0) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('die'), n: fc.nat(2), m: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel'), n: fc.nat(20), m: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drain'), n: fc.nat(9), m: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('late'), n: fc.nat(20), m: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rush'), n: fc.nat(9), m: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('load'), n: fc.nat(1), m: fc.constant(0) }) },
);

// Half of the runs with the default.
const strategy = fc.oneof(fc.constant('least_connections' as const), fc.constantFrom(...BALANCERS));

const nth = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];

const ACTS: Record<string, (world: World, n: number, m: number) => unknown> = {
  submit: (world, n, m) => world.submit(n, m, 100 + 150 * m),
  answer: (world, n, m) => {
    const slot = nth(world.live(), n);
    if (slot) world.answer(slot, m);
  },
  turn: (world) => world.bench.turn(),
  /** More than is answered, for long enough to count as overload. */
  rush: (world, n, m) => {
    for (let step = 0; step < 24; step++) {
      world.submit(5, m, 100 + 150 * m);
      world.bench.advance(15);
      const slot = nth(world.live(), n);
      if (slot && step % 2 === 0) world.answer(slot, 0);
    }
  },
  add: (world, n) => world.add(DOMAINS[n] as string),
  advance: (world, n) => {
    world.bench.clock.advance(n);
    for (const wedged of world.live().filter((slot) => slot.givenUp !== null)) world.die(wedged.domain, true);
  },
  die: (world, n, m) => world.die(DOMAINS[n] as string, m === 1),
  cancel: (world, n) => nth(world.clients, n)?.abort(),
  drain: (world, n) => {
    const slot = nth(world.live(), n);
    if (!slot) return;
    slot.draining = true;
    world.bench.dispatcher.remove(slot.worker, 'draining');
  },
  late: (world, n) => {
    const past = nth(world.past, n);
    if (past) world.reply(past.worker, past.message);
  },
  load: (world, n) =>
    world.bench.dispatcher.setAvailability(n === 0 ? { kind: 'loading', limitMs: 2000 } : { kind: 'up' }),
};

const config = fc.record({
  strategy,
  shedding: fc.boolean(),
  ageingMs: fc.constantFrom(0, 50),
  batching: fc.constantFrom(
    { maxSize: 4, maxDelayMs: 0, preferred: [] },
    { maxSize: 4, maxDelayMs: 30, preferred: [2, 3] },
  ),
});

it('every input settles exactly once, whatever happens to its client, its deadline and its workers', async () => {
  let shed = 0;
  await fc.assert(
    fc.asyncProperty(config, fc.array(action, { minLength: 20, maxLength: 120 }), async (settings, actions) => {
      const world = new World(settings);
      world.add('p1');
      for (const { do: what, n, m } of actions) ACTS[what]?.(world, n, m);
      await world.finish();
      for (const trail of world.trails.values()) expect(trail.results.length).toBe(1);
      const stats = world.bench.dispatcher.stats();
      const { succeeded, modelErrors, expired, cancelled, refused, lost } = stats;
      expect(succeeded + modelErrors + expired + cancelled + refused + lost).toBe(world.trails.size);
      expect(stats).toMatchObject({ requests: world.trails.size, queued: 0, inFlight: 0 });
      for (const { results } of world.trails.values())
        if (results[0]?.ok === false && results[0].error.code === 'SUP_OVERLOADED') shed++;
      for (const slot of world.slots) {
        expect(world.bench.dispatcher.busy(slot.worker)).toBe(0);
        await world.bench.dispatcher.idle(slot.worker);
      }
    }),
    { numRuns: 600 },
  );
  expect(shed).toBeGreaterThan(0);
});
