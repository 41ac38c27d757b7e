import { describe, expect, it } from 'vitest';
import { SupError } from '../../src/errors.js';
import { Bench, brief, FakeSlot } from './fake-slots.js';

describe('batches', () => {
  it('takes what arrived in one turn as one batch, up to its size, and answers each job with its own', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const replies = ['a', 'b', 'c', 'd', 'e'].map((input) => bench.submit([input]));
    expect(slot.sent).toEqual([]);
    bench.turn();
    expect(slot.inputs).toEqual([['a', 'b', 'c', 'd']]);
    bench.answer(slot);
    expect(slot.inputs[1]).toEqual(['e']);
    bench.answer(slot);
    expect((await Promise.all(replies)).map(brief)).toEqual([['A'], ['B'], ['C'], ['D'], ['E']]);
  });

  it('lets a crowd grow for two more turns at most, and sends a single one at once', () => {
    const bench = new Bench({ batching: { maxSize: 32, maxDelayMs: 0, preferred: [] } });
    const slot = bench.worker('w/1');
    void bench.submit(['alone']);
    bench.oneTurn();
    expect(slot.inputs).toEqual([['alone']]);
    bench.answer(slot);
    for (let turn = 0; turn < 3; turn++) {
      expect(slot.inputs).toHaveLength(1);
      void bench.submit([`a${turn}`]);
      void bench.submit([`b${turn}`]);
      bench.oneTurn();
    }
    expect(slot.inputs[1]).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
  });

  it('spreads dear work over idle workers, and keeps cheap work together', () => {
    for (const [computeMs, batches] of [
      [100, [1, 1]],
      [0.001, [2, 0]],
    ] as const) {
      const bench = new Bench();
      const slots = [bench.worker('w/1'), bench.worker('w/2')];
      void bench.send(['learn']);
      const learned = slots.find((slot) => slot.sent.length > 0) as FakeSlot;
      bench.answer(learned, computeMs);
      for (const slot of slots) slot.sent.length = 0;
      void bench.send(['a', 'b']);
      expect(slots.map((slot) => slot.inputs.flat().length).sort((a, b) => b - a)).toEqual([...batches]);
    }
  });

  it('waits for a fuller batch only as long as max_delay, from the oldest on', () => {
    const bench = new Bench({ batching: { maxSize: 3, maxDelayMs: 10, preferred: [] } });
    const slot = bench.worker('w/1');
    void bench.send(['a']);
    bench.advance(6);
    void bench.send(['b']);
    bench.advance(3);
    expect(slot.sent).toEqual([]);
    bench.advance(1);
    expect(slot.inputs).toEqual([['a', 'b']]);
    bench.answer(slot);
    void bench.send(['c', 'd', 'e']);
    expect(slot.inputs[1]).toEqual(['c', 'd', 'e']);
  });

  it('cuts a batch to a preferred size; what is left over goes when it is due, or fills the next', () => {
    const bench = new Bench({ concurrency: 9, batching: { maxSize: 8, maxDelayMs: 10, preferred: [2, 4] } });
    const slot = bench.worker('w/1');
    void bench.send(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(slot.inputs).toEqual([
      ['a', 'b', 'c', 'd'],
      ['e', 'f'],
    ]);
    bench.advance(9);
    expect(slot.inputs).toHaveLength(2);
    bench.advance(1);
    expect(slot.inputs[2]).toEqual(['g']);
    void bench.send(['h']);
    void bench.send(['i']);
    expect(slot.inputs[3]).toEqual(['h', 'i']);
  });

  it('lets each input of a batch end in its own way', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const replies = [bench.submit(['a']), bench.submit(['b']), bench.submit(['c'])];
    bench.turn();
    const outcomes = [
      { ok: true as const, output: 'A' },
      { ok: false as const, name: 'Error', message: 'no b' },
      { ok: true as const, output: 'C' },
    ];
    bench.dispatcher.result('w/1', { type: 'result', batch: slot.sent[0]?.batch as number, outcomes, computeMs: 1 });
    expect((await Promise.all(replies)).flatMap(brief)).toEqual(['A', 'SUP_MODEL_ERROR', 'C']);
    expect(bench.dispatcher.stats()).toMatchObject({ succeeded: 2, modelErrors: 1 });
  });

  it('keeps as many batches in a worker as its concurrency', () => {
    const bench = new Bench({ concurrency: 2, batching: { maxSize: 1, maxDelayMs: 0, preferred: [] } });
    const slot = bench.worker('w/1');
    void bench.send(['a', 'b', 'c']);
    expect(slot.inputs).toEqual([['a'], ['b']]);
    expect(bench.dispatcher.busy('w/1')).toBe(2);
    bench.answer(slot);
    expect(slot.inputs[2]).toEqual(['c']);
  });

  it('fails an input that no message can carry, and sends its neighbours', async () => {
    class Picky extends FakeSlot {
      override send(message: Parameters<FakeSlot['send']>[0]): void {
        super.send(structuredClone(message));
      }
    }
    const bench = new Bench();
    const slot = new Picky('w/1');
    bench.dispatcher.add(slot);
    const replies = bench.send(['a', () => {}, 'b']);
    bench.turn();
    expect(slot.inputs).toEqual([['a', 'b']]);
    bench.answer(slot);
    expect(brief(await replies)).toEqual(['A', 'SUP_BAD_REQUEST', 'B']);
  });
});

describe('order', () => {
  it('runs higher priority first, and first come first served within one', () => {
    const bench = new Bench({ batching: { maxSize: 2, maxDelayMs: 0, preferred: [] } });
    void bench.submit(['low 1'], { priority: -1 });
    void bench.submit(['plain 1']);
    void bench.submit(['high 1'], { priority: 5 });
    void bench.submit(['plain 2']);
    void bench.submit(['high 2'], { priority: 5 });
    const slot = bench.worker('w/1');
    for (let i = 0; i < 3; i++) bench.answer(slot);
    expect(slot.inputs).toEqual([['high 1', 'high 2'], ['plain 1', 'plain 2'], ['low 1']]);
  });

  it('asks for a worker when there is none', () => {
    const bench = new Bench();
    let asked = 0;
    const onWait = () => asked++;
    void bench.send(['a'], { onWait });
    bench.worker('w/1');
    void bench.send(['b'], { onWait });
    expect(asked).toBe(1);
  });
});

describe('a full queue', () => {
  it('refuses a job whole that does not fit, and says when to come again', async () => {
    const bench = new Bench({ queueMax: 3 });
    void bench.send(['a', 'b']);
    const [first, second] = await bench.send(['c', 'd']);
    expect(first).toEqual(second);
    const error = (first as { error: SupError }).error;
    expect(error.code).toBe('SUP_QUEUE_FULL');
    expect(error.data).toMatchObject({ queued: 2, limit: 3, retry_after_seconds: 1 });
    expect(bench.dispatcher.stats()).toMatchObject({ queued: 2, requests: 4, refused: 2 });
  });

  it('is not full of what is sent at the end of this very turn', async () => {
    const bench = new Bench({ queueMax: 2, batching: { maxSize: 2, maxDelayMs: 0, preferred: [] }, concurrency: 2 });
    const slot = bench.worker('w/1');
    const replies = [bench.submit(['a', 'b']), bench.submit(['c', 'd'])];
    bench.turn();
    bench.answer(slot);
    bench.answer(slot);
    expect((await Promise.all(replies)).flatMap(brief)).toEqual(['A', 'B', 'C', 'D']);
  });

  it('logs one refusal, not each', async () => {
    const bench = new Bench({ queueMax: 0 });
    for (let i = 0; i < 3; i++) await bench.send(['a']);
    expect(bench.decisions).toEqual([
      { action: 'refuse', reason: 'queue full', numbers: { queued: 0, limit: 0, inputs: 1 } },
    ]);
  });
});

describe('deadlines', () => {
  it('answers 504 at the deadline, while queued', async () => {
    const bench = new Bench();
    const reply = bench.send(['a']);
    const quick = bench.send(['b'], { timeoutMs: 100 });
    bench.advance(100);
    expect(brief(await quick)).toEqual(['SUP_DEADLINE']);
    expect(bench.dispatcher.stats()).toMatchObject({ queued: 1, expired: 1 });
    bench.advance(900);
    expect(brief(await reply)).toEqual(['SUP_DEADLINE']);
  });

  it('answers 504 promptly with all workers busy and 100,000 queued, and does not do all of it in one turn', async () => {
    const bench = new Bench({ queueMax: 200_000, batching: { maxSize: 1, maxDelayMs: 0, preferred: [] } });
    const slot = bench.worker('w/1');
    void bench.send(['busy'], { timeoutMs: 60_000 });
    for (let i = 0; i < 100_000; i++) void bench.submit(['x'], { timeoutMs: 1000, priority: i % 3 });
    const quick = bench.send(['y'], { timeoutMs: 50, priority: -1 });
    bench.advance(50);
    expect(brief(await quick)).toEqual(['SUP_DEADLINE']);
    expect(bench.dispatcher.stats()).toMatchObject({ queued: 100_000, expired: 1 });
    bench.advance(950);
    expect(bench.dispatcher.stats().expired).toBeLessThan(10_000);
    bench.advance(200);
    expect(bench.dispatcher.stats()).toMatchObject({ queued: 0, expired: 100_001 });
    expect(slot.inputs).toEqual([['busy']]);
  });

  it('answers 504 in flight, aborts when nobody waits any more, and keeps the slot busy until the reply', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const replies = [bench.submit(['a'], { timeoutMs: 100 }), bench.submit(['b'], { timeoutMs: 200 })];
    bench.turn();
    expect(slot.sent[0]?.timeoutMs).toBe(200);
    expect(bench.dispatcher.latestDeadline('w/1')).toBe(200);
    const next = bench.send(['c']);
    bench.advance(100);
    expect(brief(await (replies[0] as Promise<never>))).toEqual(['SUP_DEADLINE']);
    expect(slot.aborted).toEqual([]);
    bench.advance(100);
    expect(slot.aborted).toEqual([slot.sent[0]?.batch]);
    expect(slot.inputs).toEqual([['a', 'b']]);
    bench.answer(slot);
    bench.answer(slot);
    expect(brief(await next)).toEqual(['C']);
    bench.advance(10_000);
    expect(slot.givenUp).toBeNull();
  });

  it('gives a worker up whose prediction does not come back, and counts its death as its own fault', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const reply = bench.send(['loop']);
    bench.advance(1499);
    expect(slot.givenUp).toBeNull();
    bench.advance(1);
    expect(slot.givenUp).toMatch(/did not return within 0\.5 s/);
    expect(brief(await reply)).toEqual(['SUP_DEADLINE']);
    bench.die(slot, 'dead-by-supervisor');
    expect(bench.dispatcher.quarantine.list()).toMatchObject([{ strikes: 1, quarantined: false }]);
  });

  it('end with 503 where the load takes longer than a request may wait, and run on from where they were else', async () => {
    const bench = new Bench();
    bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 5000 });
    const early = bench.send(['a']);
    bench.advance(3000);
    const late = bench.send(['b']);
    bench.advance(1999);
    expect(bench.dispatcher.stats().queued).toBe(2);
    bench.advance(1);
    expect(brief(await early)).toEqual(['SUP_NOT_READY']);
    bench.dispatcher.setAvailability({ kind: 'up' });
    bench.advance(999);
    expect(bench.dispatcher.stats().queued).toBe(1);
    bench.advance(1);
    expect(brief(await late)).toEqual(['SUP_DEADLINE']);
  });

  it('stand still while a model loads, and go on after that', async () => {
    const bench = new Bench();
    bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 300_000 });
    const early = bench.send(['a']);
    bench.advance(5000);
    const late = bench.send(['b']);
    bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 300_000 });
    bench.advance(5000);
    bench.dispatcher.setAvailability({ kind: 'up' });
    bench.advance(999);
    expect(bench.dispatcher.stats()).toMatchObject({ queued: 2, expired: 0 });
    bench.advance(1);
    expect([...brief(await early), ...brief(await late)]).toEqual(['SUP_DEADLINE', 'SUP_DEADLINE']);
  });

  it('keep what ran before the load', async () => {
    const bench = new Bench();
    const reply = bench.send(['a']);
    bench.advance(900);
    bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 300_000 });
    bench.advance(60_000);
    bench.dispatcher.setAvailability({ kind: 'up' });
    bench.advance(99);
    expect(bench.dispatcher.stats().queued).toBe(1);
    bench.advance(1);
    expect(brief(await reply)).toEqual(['SUP_DEADLINE']);
  });
});

describe('a client that goes away', () => {
  it('frees what is queued', async () => {
    const bench = new Bench({ queueMax: 1 });
    const client = new AbortController();
    const reply = bench.send(['a'], { signal: client.signal });
    client.abort();
    expect(brief(await reply)).toEqual(['SUP_CANCELLED']);
    const next = bench.send(['b']);
    const slot = bench.worker('w/1');
    expect(slot.inputs).toEqual([['b']]);
    bench.answer(slot);
    expect(brief(await next)).toEqual(['B']);
  });

  it('aborts what is in flight, once nobody else waits for the batch', () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const clients = [new AbortController(), new AbortController()];
    for (const client of clients) void bench.submit(['a'], { signal: client.signal });
    bench.turn();
    clients[0]?.abort();
    expect(slot.aborted).toEqual([]);
    clients[1]?.abort();
    expect(slot.aborted).toEqual([slot.sent[0]?.batch]);
  });

  it('is refused when it was gone already', async () => {
    expect(brief(await new Bench().send(['a'], { signal: AbortSignal.abort() }))).toEqual(['SUP_CANCELLED']);
  });
});

describe('availability', () => {
  const error = new SupError('SUP_WORKER_BOOT_FAILED', 'weights.bin is missing');

  it('fails what is queued and what comes while it is down, and lets what is in flight end', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const running = bench.send(['a']);
    const queued = bench.send(['b']);
    bench.dispatcher.setAvailability({ kind: 'down', error });
    expect(await queued).toEqual([{ ok: false, error }]);
    expect(await bench.send(['c'])).toEqual([{ ok: false, error }]);
    bench.answer(slot);
    expect(brief(await running)).toEqual(['A']);
  });

  it('ends everything when it closes, and nothing comes after that', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const replies = [bench.send(['a']), bench.send(['b'])];
    bench.dispatcher.close(error);
    bench.dispatcher.setAvailability({ kind: 'up' });
    replies.push(bench.send(['c']));
    for (const reply of replies) expect(await reply).toEqual([{ ok: false, error }]);
    bench.answer(slot);
    bench.advance(60_000);
    expect(slot.givenUp).toBeNull();
  });
});

describe('a worker that drains', () => {
  it('gets nothing new, and is idle when its last batch is back', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const reply = bench.send(['a']);
    bench.dispatcher.remove('w/1', 'draining');
    let idle = false;
    const drained = bench.dispatcher.idle('w/1').then(() => {
      idle = true;
    });
    void bench.send(['b']);
    await Promise.resolve();
    expect(idle).toBe(false);
    bench.answer(slot);
    await drained;
    expect(brief(await reply)).toEqual(['A']);
    expect(slot.inputs).toEqual([['a']]);
  });

  it('is idle too when it is gone', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    void bench.send(['a']);
    bench.dispatcher.remove('w/1', 'draining');
    const drained = bench.dispatcher.idle('w/1');
    bench.die(slot);
    await drained;
    expect(bench.dispatcher.busy('w/1')).toBe(0);
  });

  it('may come back', () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    void bench.send(['a']);
    bench.dispatcher.remove('w/1', 'draining');
    bench.dispatcher.add(slot);
    void bench.send(['b']);
    bench.answer(slot);
    expect(slot.inputs).toEqual([['a'], ['b']]);
  });
});

it('turns what the model threw into SUP_MODEL_ERROR, without a stack', async () => {
  const bench = new Bench();
  const slot = bench.worker('w/1');
  const reply = bench.send(['a']);
  const outcomes = [{ ok: false as const, name: 'RangeError', message: 'bad input' }];
  bench.dispatcher.result('w/1', { type: 'result', batch: slot.sent[0]?.batch as number, outcomes, computeMs: 1 });
  const [result] = await reply;
  expect(result).toMatchObject({ ok: false, error: { code: 'SUP_MODEL_ERROR', message: 'RangeError: bad input' } });
});

it('drops the reply of a worker to a batch that is another one’s, or over', async () => {
  const bench = new Bench();
  const slot = bench.worker('w/1');
  const other = bench.worker('w/2');
  const reply = bench.send(['a']);
  const holder = slot.sent.length > 0 ? slot : other;
  const forger = holder === slot ? other : slot;
  const batch = holder.sent[0]?.batch as number;
  const forged = { type: 'result' as const, batch, outcomes: [{ ok: true as const, output: 'forged' }], computeMs: 1 };
  bench.dispatcher.result(forger.worker, forged);
  bench.answer(holder);
  bench.dispatcher.result(holder.worker, forged);
  expect(brief(await reply)).toEqual(['A']);
});

describe('routing', () => {
  it('gives each worker the inputs of its own keys, and mixes none', () => {
    const bench = new Bench({ strategy: 'consistent_hash', batching: { maxSize: 32, maxDelayMs: 0, preferred: [] } });
    const slots = [1, 2, 3].map((n) => bench.worker(`w/${n}`));
    const users = Array.from({ length: 30 }, (_, i) => `user-${i}`);
    // One at a time: nobody is busy, so each goes to the worker that it prefers.
    const home = new Map<string, FakeSlot>();
    for (const user of users) {
      void bench.send([user], { key: user });
      const slot = slots.find((s) => s.open.size > 0) as FakeSlot;
      home.set(user, slot);
      bench.answer(slot);
    }
    expect(new Set(home.values()).size).toBe(3);
    for (const slot of slots) slot.sent.length = 0;
    for (const user of users.slice(0, 9)) void bench.submit([user], { key: user });
    bench.turn();
    while (slots.some((slot) => slot.open.size > 0))
      for (const slot of slots) if (slot.open.size > 0) bench.answer(slot);
    const strangers = slots.flatMap((slot) => slot.inputs.flat().filter((user) => home.get(user as string) !== slot));
    // Only those over the bound of 1.25 times the mean.
    expect(strangers.length).toBeLessThanOrEqual(3);
    expect(slots.flatMap((slot) => slot.inputs.flat()).sort()).toEqual(users.slice(0, 9).sort());
  });

  it('does not let one busy key block the others', () => {
    const bench = new Bench({ strategy: 'consistent_hash', batching: { maxSize: 1, maxDelayMs: 0, preferred: [] } });
    const slots = [1, 2].map((n) => bench.worker(`w/${n}`));
    void bench.send(['first'], { key: 'hot' });
    const home = slots.find((slot) => slot.open.size > 0) as FakeSlot;
    const other = slots.find((slot) => slot !== home) as FakeSlot;
    for (let i = 0; i < 3; i++) void bench.submit([`hot ${i}`], { key: 'hot' });
    bench.turn();
    // ceil(1.25 × 4 / 2) = 3 belong to the busy one; what is over the bound does not wait.
    expect(other.inputs).toEqual([['hot 2']]);
    bench.answer(other);
    bench.answer(other);
    expect(other.inputs).toEqual([['hot 2'], ['hot 1']]);
    void bench.send(['plain']);
    expect(other.inputs[2]).toEqual(['plain']);
    bench.answer(home);
    expect(home.inputs[1]).toEqual(['hot 0']);
  });

  it('spreads a request over the keys of its inputs', () => {
    const bench = new Bench({ strategy: 'consistent_hash' });
    const slots = [1, 2].map((n) => bench.worker(`w/${n}`));
    void bench.send(['a', 'b', 'c', 'd'], { key: ['1', '2', '3', '4'] });
    for (const slot of slots) expect(slot.sent).toHaveLength(1);
    void bench.send(['a', 'b', 'c', 'd'], { key: ['1', '2', '3', '4'] });
    const before = slots.map((slot) => slot.inputs[0]);
    for (const slot of slots) bench.answer(slot);
    expect(slots.map((slot) => slot.inputs[1])).toEqual(before);
  });

  it('keeps work for a fast worker that is busy, and gives it to the slow one when that is over', () => {
    const bench = new Bench({
      strategy: 'least_response_time',
      batching: { maxSize: 1, maxDelayMs: 0, preferred: [] },
    });
    const [fast, slow] = [bench.worker('w/1'), bench.worker('w/2')];
    const run = (ms: number, slot: FakeSlot) => {
      bench.advance(ms);
      bench.answer(slot);
    };
    for (let i = 0; i < 20; i++) {
      void bench.submit(['x']);
      void bench.send(['y']);
      if (fast.open.size > 0) run(10, fast);
      if (slow.open.size > 0) run(90, slow);
      while (fast.open.size > 0) run(10, fast);
    }
    const before = slow.sent.length;
    expect(before).toBeLessThan(8);
    void bench.submit(['a']);
    void bench.send(['b']);
    expect([fast.open.size, slow.open.size, bench.dispatcher.stats().queued]).toEqual([1, 0, 1]);
    // The fast one hangs: what waits for it waits no longer than the slow one would have taken.
    bench.advance(400);
    expect(slow.sent.length).toBe(before + 1);
  });
});

describe('movement of the queue', () => {
  it('is known only while something waits for workers that are there', () => {
    const bench = new Bench();
    expect(bench.dispatcher.movement()).toBe(null);
    bench.dispatcher.setAvailability({ kind: 'loading', limitMs: 1000 });
    void bench.send(['a']);
    expect(bench.dispatcher.movement()).toBe(null);
    bench.dispatcher.setAvailability({ kind: 'up' });
    expect(bench.dispatcher.movement()).toMatchObject({ queued: 1, workers: [] });
  });

  it('tells how long nothing went or came, what batches take, and who has what', () => {
    const bench = new Bench({ batching: { maxSize: 1, maxDelayMs: 0, preferred: [] }, timeoutMs: 60_000 });
    const slot = bench.worker('w/1');
    for (let i = 0; i < 20; i++) {
      void bench.send(['x']);
      bench.advance(10);
      bench.answer(slot);
    }
    void bench.send(['held']);
    bench.advance(100);
    void bench.send(['waits']);
    bench.advance(400);
    expect(bench.dispatcher.movement()).toEqual({
      queued: 1,
      oldestMs: 400,
      stillMs: 400,
      p95Ms: 10,
      workers: [{ worker: 'w/1', hasRoom: false, inFlightMs: 500 }],
    });
    bench.answer(slot);
    expect(bench.dispatcher.movement()).toBe(null);
  });

  it('gives a worker no more than its limit, whatever its concurrency', () => {
    const bench = new Bench({ concurrency: 3, batching: { maxSize: 4, maxDelayMs: 0, preferred: [] } });
    const slot = bench.worker('w/1');
    bench.dispatcher.limit('w/1', 0);
    void bench.send(['a', 'b', 'c']);
    expect(slot.sent).toEqual([]);
    // On trial: one input, and no second batch beside it.
    bench.dispatcher.limit('w/1', 1);
    bench.turn();
    expect(slot.inputs).toEqual([['a']]);
    bench.dispatcher.limit('w/1', null);
    bench.turn();
    expect(slot.inputs).toEqual([['a'], ['b', 'c']]);
  });
});
