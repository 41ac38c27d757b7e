import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SupError } from '../../src/errors.js';
import { ChunkStream } from '../../src/pool/chunk-stream.js';
import type { JobResult } from '../../src/pool/dispatcher.js';
import { Bench, brief, FakeSlot } from './fake-slots.js';

const ANSWER: JobResult = { ok: true, output: null, worker: 'w/1', queueMs: 0, computeMs: 1 };

/** A bench whose predictions may be streamed. */
class StreamBench extends Bench {
  stream(input: unknown, options: { timeoutMs?: number; priority?: number; signal?: AbortSignal } = {}): Reader {
    const { timeoutMs = null, priority = 0 } = options;
    const controller = new AbortController();
    options.signal?.addEventListener('abort', () => controller.abort());
    const stream = new ChunkStream(() => controller.abort());
    const done = this.dispatcher
      .submit({ inputs: [input], priority, timeoutMs, signal: controller.signal, key: null, stream })
      .then((results) => {
        stream.end(results[0] as JobResult);
        return brief(results);
      });
    this.turn();
    return { stream, done };
  }

  chunk(slot: FakeSlot, value: unknown, batch = [...slot.open.keys()][0] as number): void {
    this.dispatcher.chunk(slot.worker, { type: 'chunk', batch, value });
  }

  finish(slot: FakeSlot, computeMs = 1): void {
    const [batch] = slot.open.keys();
    slot.open.delete(batch as number);
    const outcomes = [{ ok: true as const, output: null }];
    this.dispatcher.result(slot.worker, { type: 'result', batch: batch as number, outcomes, computeMs });
    this.turn();
  }
}

interface Reader {
  stream: ChunkStream;
  done: Promise<unknown[]>;
}

const value = async (stream: ChunkStream) => (await stream.next()).value;

describe('a streamed prediction', () => {
  it('is asked of a worker as a stream, alone in its batch', () => {
    const bench = new StreamBench();
    void bench.submit(['a']);
    bench.stream('b');
    void bench.submit(['c']);
    const slot = bench.worker('w/1');
    for (let i = 0; i < 3; i++) bench.answer(slot);
    expect(slot.sent.map(({ inputs, stream }) => [inputs, stream])).toEqual([
      [['a'], undefined],
      [['b'], true],
      [['c'], undefined],
    ]);
  });

  it('is read chunk by chunk as they come, up to the result', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a');
    const first = stream.next();
    bench.chunk(slot, 1);
    expect(await first).toEqual({ done: false, value: 1 });
    bench.chunk(slot, 2);
    bench.chunk(slot, undefined);
    bench.finish(slot);
    await done;
    expect([await value(stream), await value(stream)]).toEqual([2, undefined]);
    expect(await stream.next()).toMatchObject({ done: true, value: { ok: true, worker: 'w/1', output: null } });
    expect(bench.dispatcher.stats()).toMatchObject({ requests: 1, succeeded: 1, inFlight: 0 });
  });

  it('ends with what it ended with, after the chunks that came before', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a');
    bench.chunk(slot, 1);
    const outcomes = [{ ok: false as const, name: 'RangeError', message: 'enough' }];
    bench.dispatcher.result('w/1', { type: 'result', batch: 1, outcomes, computeMs: 1 });
    expect(await done).toEqual(['SUP_MODEL_ERROR']);
    expect(await value(stream)).toBe(1);
    await expect(stream.next()).rejects.toMatchObject({ code: 'SUP_MODEL_ERROR', message: 'RangeError: enough' });
  });

  it('keeps whole answers of a model that streams apart, an input a batch', () => {
    const bench = new Bench();
    const slot = Object.assign(new FakeSlot('w/1'), { streams: true });
    bench.dispatcher.add(slot);
    void bench.send(['a', 'b', 'c']);
    for (let i = 0; i < 3; i++) bench.answer(slot);
    expect(slot.inputs).toEqual([['a'], ['b'], ['c']]);
  });

  it('lets its worker send more as its reader reads, and not before', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream } = bench.stream('a');
    for (let i = 0; i < 20; i++) bench.chunk(slot, i);
    expect(slot.more).toEqual([]);
    for (let i = 0; i < 16; i++) await stream.next();
    expect(slot.more).toEqual([16]);
    for (let i = 0; i < 3; i++) await stream.next();
    expect(slot.more).toEqual([16]);
    // The last one that is here: the worker may be waiting for just this.
    await stream.next();
    expect(slot.more).toEqual([16, 4]);
  });

  it('tells its worker of every chunk that is read, whatever the order of things', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 200 }), async (steps) => {
        const told: number[] = [];
        const stream = new ChunkStream(() => {});
        stream.connect((more) => told.push(more));
        let pushed = 0;
        let read = 0;
        for (const push of steps) {
          if (push) stream.push(pushed++);
          else if (read < pushed) expect(await value(stream)).toBe(read++);
          const known = told.reduce((sum, more) => sum + more, 0);
          expect(known).toBeLessThanOrEqual(read);
          // Never stuck: with nothing left to read, all is told.
          if (read === pushed) expect(known).toBe(read);
        }
        stream.end(ANSWER);
        while (read < pushed) expect(await value(stream)).toBe(read++);
        expect((await stream.next()).done).toBe(true);
      }),
    );
  });
});

describe('the time of a stream', () => {
  it('is its deadline up to the first chunk', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { done } = bench.stream('a', { timeoutMs: 100 });
    bench.advance(100);
    expect(await done).toEqual(['SUP_DEADLINE']);
    expect(slot.aborted).toEqual([1]);
  });

  it('begins anew with each chunk, and no wedge is seen meanwhile', async () => {
    const bench = new StreamBench({ wedgeMs: 50 });
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a', { timeoutMs: 100 });
    for (let i = 0; i < 20; i++) {
      bench.advance(90);
      bench.chunk(slot, i);
      expect(await value(stream)).toBe(i);
      expect(bench.dispatcher.latestDeadline('w/1')).toBeGreaterThanOrEqual(bench.clock.now());
    }
    expect([slot.aborted, slot.givenUp]).toEqual([[], null]);
    bench.advance(99);
    expect(slot.aborted).toEqual([]);
    bench.advance(1);
    expect(await done).toEqual(['SUP_DEADLINE']);
    expect(bench.dispatcher.stats()).toMatchObject({ expired: 1, inFlight: 1 });
    bench.advance(49);
    expect(slot.givenUp).toBeNull();
    bench.advance(1);
    expect(slot.givenUp).toContain('did not return');
  });

  it('begins anew when its reader reads, also while the worker waits for that', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a', { timeoutMs: 100 });
    for (let i = 0; i < 10; i++) bench.chunk(slot, i);
    for (let i = 0; i < 10; i++) {
      bench.advance(90);
      await stream.next();
    }
    expect(slot.aborted).toEqual([]);
    bench.advance(100);
    expect(await done).toEqual(['SUP_DEADLINE']);
  });

  it('is no service time: long streams do not make the queue look late', async () => {
    const bench = new StreamBench({ shedding: true });
    const slot = bench.worker('w/1');
    const run = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 500) {
        bench.chunk(slot, passed);
        await readers.at(-1)?.stream.next();
        bench.advance(500);
      }
      bench.finish(slot, ms);
    };
    const readers = [bench.stream('first')];
    await run(20_000);
    readers.push(bench.stream('second'));
    const waiting = [1, 2, 3].map((i) => bench.stream(`waiting ${i}`));
    await run(500);
    for (const _ of waiting) {
      bench.advance(10);
      bench.finish(slot, 20_000);
    }
    expect(await Promise.all(waiting.map((reader) => reader.done))).toEqual([[null], [null], [null]]);
  });

  it('runs out for a reader that does not read: nobody holds a worker for nothing', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a', { timeoutMs: 100 });
    bench.chunk(slot, 1);
    bench.advance(100);
    expect(await done).toEqual(['SUP_DEADLINE']);
    expect(slot.aborted).toEqual([1]);
    expect(await value(stream)).toBe(1);
    await expect(stream.next()).rejects.toThrow('the stream of echo@v1 stood still for 0.1 s');
  });
});

describe('a stream whose reader leaves', () => {
  it('is aborted, and holds its place until the worker gives it back', async () => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a');
    bench.chunk(slot, 1);
    for await (const chunk of stream) {
      expect(chunk).toBe(1);
      break;
    }
    expect(await done).toEqual(['SUP_CANCELLED']);
    expect(slot.aborted).toEqual([1]);
    const next = bench.send(['b']);
    expect(slot.sent).toHaveLength(1);
    bench.chunk(slot, 2);
    bench.finish(slot);
    bench.answer(slot);
    expect(brief(await next)).toEqual(['B']);
    expect(bench.dispatcher.stats()).toMatchObject({ cancelled: 1, succeeded: 1, inFlight: 0 });
  });

  it('leaves the queue at once', async () => {
    const bench = new StreamBench();
    const { stream, done } = bench.stream('a');
    await stream.return();
    expect(await done).toEqual(['SUP_CANCELLED']);
    expect(bench.dispatcher.stats()).toMatchObject({ cancelled: 1, queued: 0 });
  });
});

describe('a stream whose worker goes away', () => {
  it.each(['dead-own-fault', 'dead-by-supervisor'] as const)('runs again where nothing was read (%s)', async (how) => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const { stream, done } = bench.stream('a');
    bench.chunk(slot, 'old');
    bench.die(slot, how);
    // Nothing of the first answer may show, whenever the reader comes.
    const first = stream.next();
    const other = bench.worker('w/2');
    expect(other.sent).toMatchObject([{ inputs: ['a'], stream: true }]);
    bench.chunk(slot, 'late', 1);
    bench.chunk(other, 'new');
    expect(await first).toEqual({ done: false, value: 'new' });
    expect(other.more).toEqual([1]);
    bench.finish(other);
    await done;
    expect((await stream.next()).done).toBe(true);
    expect(bench.dispatcher.stats()).toMatchObject({ succeeded: 1, retries: 1, lost: 0 });
  });

  it.each(['dead-own-fault', 'dead-by-supervisor'] as const)('ends where a part was read (%s)', async (how) => {
    const bench = new StreamBench();
    const slot = bench.worker('w/1');
    const other = bench.worker('w/2');
    const { stream, done } = bench.stream('a');
    const [holder, idle] = slot.open.size > 0 ? [slot, other] : [other, slot];
    bench.chunk(holder, 1);
    bench.chunk(holder, 2);
    expect(await value(stream)).toBe(1);
    bench.die(holder, how);
    expect(await done).toEqual(['SUP_WORKER_DIED']);
    expect(await value(stream)).toBe(2);
    await expect(stream.next()).rejects.toThrow('a part of its answer was sent');
    expect(idle.sent).toEqual([]);
    expect(bench.dispatcher.stats()).toMatchObject({ lost: 1, retries: 0, inFlight: 0 });
  });
});

describe('whatever happens', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ act: fc.constant('chunk' as const), worker: fc.nat(1) }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('read' as const), stream: fc.nat(9) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('finish' as const), worker: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('submit' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ act: fc.constant('die' as const), worker: fc.nat(1), ownFault: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('leave' as const), stream: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.nat(600) }) },
  );

  it('each stream ends once, is counted once, and shows the chunks of one run from its first on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
        const bench = new StreamBench({ concurrency: 2 });
        let lives = 0;
        const slots = [0, 1].map(() => bench.worker(`w/${++lives}`));
        const readers: Reader[] = [];
        const read: string[][] = [];
        const made = new Map<number, number>();
        const endings: number[] = [];
        const reading = new Set<number>();
        const readOne = (i: number) => {
          const reader = readers[i];
          if (!reader || reading.has(i)) return;
          reading.add(i);
          reader.stream.next().then(
            ({ done, value: chunk }) => {
              reading.delete(i);
              if (!done) read[i]?.push(String(chunk));
            },
            () => reading.delete(i),
          );
        };
        for (const each of steps) {
          if (each.act === 'submit') {
            const i = readers.length;
            const reader = bench.stream(`input ${i}`);
            readers.push(reader);
            read.push([]);
            endings.push(0);
            void reader.done.then(() => {
              endings[i] = (endings[i] ?? 0) + 1;
            });
          } else if (each.act === 'read') readOne(each.stream);
          else if (each.act === 'leave') await readers[each.stream]?.stream.return();
          else if (each.act === 'wait') bench.advance(each.ms);
          else {
            const slot = slots[each.worker] as FakeSlot;
            const [batch] = slot.open.keys();
            if (each.act === 'die') {
              bench.die(slot, each.ownFault ? 'dead-own-fault' : 'dead-by-supervisor');
              slots[each.worker] = bench.worker(`w/${++lives}`);
            } else if (batch !== undefined && each.act === 'chunk') {
              const n = made.get(batch) ?? 0;
              made.set(batch, n + 1);
              bench.chunk(slot, `${batch}:${n}`, batch);
            } else if (batch !== undefined) bench.finish(slot);
          }
          await Promise.resolve();
        }
        bench.dispatcher.close(new SupError('SUP_SHUTTING_DOWN', 'the end'));
        await Promise.all(readers.map((reader) => reader.done));
        for (const [i] of readers.entries())
          for (let left = 0; left < 200; left++) {
            readOne(i);
            await Promise.resolve();
          }
        for (const chunks of read) {
          const [run] = chunks[0]?.split(':') ?? [];
          expect(chunks).toEqual(chunks.map((_, n) => `${run}:${n}`));
        }
        expect(endings.every((count) => count === 1)).toBe(true);
        const { requests, succeeded, modelErrors, expired, cancelled, refused, lost, queued } =
          bench.dispatcher.stats();
        expect(requests).toBe(readers.length);
        expect(succeeded + modelErrors + expired + cancelled + refused + lost + queued).toBe(requests);
      }),
      { numRuns: 300 },
    );
  });
});
