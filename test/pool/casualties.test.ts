import { describe, expect, it } from 'vitest';
import { SupError } from '../../src/errors.js';
import { Bench, brief } from './fake-slots.js';

describe('a worker that dies by its own fault', () => {
  it('has its inputs retried once each, alone, and before what waits', async () => {
    const bench = new Bench();
    const first = bench.worker('w/1');
    const replies = bench.send(['a', 'b']);
    const waiting = bench.send(['c']);
    bench.die(first);
    const second = bench.worker('w/2');
    for (let i = 0; i < 3; i++) bench.answer(second);
    expect(second.inputs).toEqual([['a'], ['b'], ['c']]);
    expect([...brief(await replies), ...brief(await waiting)]).toEqual(['A', 'B', 'C']);
    expect(bench.dispatcher.quarantine.list()).toEqual([]);
  });

  it('answers 502 when the retry dies too, and says that it was retried', async () => {
    const bench = new Bench();
    const reply = bench.send(['a', 'poison']);
    bench.die(bench.worker('w/1'));
    const second = bench.worker('w/2');
    bench.answer(second);
    bench.die(second);
    const results = await reply;
    expect(brief(results)).toEqual(['A', 'SUP_WORKER_DIED']);
    expect(results[1]).toMatchObject({ error: { data: { retried: true, worker: 'w/2' } } });
  });

  it('does not have them retried where the app is not idempotent', async () => {
    const bench = new Bench({ idempotent: false });
    const reply = bench.send(['a', 'b']);
    bench.die(bench.worker('w/1'));
    const results = await reply;
    expect(brief(results)).toEqual(['SUP_WORKER_DIED', 'SUP_WORKER_DIED']);
    expect(results[0]).toMatchObject({ error: { message: expect.stringContaining('not idempotent') } });
  });

  it('has so many retried only, so that deaths do not double the load', async () => {
    const bench = new Bench();
    const doomed = [1, 2, 3, 4, 5].map((n) => bench.worker(`w/${n}`));
    const reply = bench.send(Array.from({ length: 20 }, (_, i) => `i${i}`));
    for (const slot of doomed) bench.die(slot);
    // A fifth of 20 is less than the ten that are always retried.
    const last = bench.worker('w/last');
    while (last.open.size > 0) bench.answer(last);
    const ends = brief(await reply);
    expect(ends.filter((end) => end !== 'SUP_WORKER_DIED')).toHaveLength(10);
    expect(bench.dispatcher.stats()).toMatchObject({ retries: 10, succeeded: 10, lost: 10 });
    expect(bench.decisions).toEqual([
      {
        action: 'refuse',
        reason: 'too many retries after deaths of workers',
        numbers: { retries: 10, requests: 20, limit: 10 },
      },
    ]);
    bench.advance(11_000);
    const again = bench.send(['e']);
    bench.die(last);
    bench.answer(bench.worker('w/next'));
    expect(brief(await again)).toEqual(['E']);
  });

  it('waits for a domain of its own: threads of one host die together', () => {
    const bench = new Bench({ batching: { maxSize: 2, maxDelayMs: 0, preferred: [] } });
    bench.dispatcher.setAvailability({ kind: 'up' });
    const dying = bench.worker('w/1', 'other');
    void bench.send(['a', 'b']);
    const [one, two] = [bench.worker('w/2', 'host'), bench.worker('w/3', 'host')];
    void bench.send(['c', 'd', 'e', 'f']);
    expect([one.inputs, two.inputs].flat().length).toBe(2);
    void bench.send(['g']);
    bench.die(dying);
    bench.answer(one);
    // Nothing new for the host while an input waits to have it for itself.
    expect(one.sent.length + two.sent.length).toBe(2);
    bench.answer(two);
    expect([...one.inputs.slice(1), ...two.inputs.slice(1)]).toEqual([['a']]);
    bench.answer(one.open.size > 0 ? one : two);
    const ran = [...one.inputs.slice(1), ...two.inputs.slice(1)];
    expect(ran).toEqual(expect.arrayContaining([['a'], ['b']]));
    expect(ran.length).toBe(2);
  });

  it('lets inputs that must be alone run side by side in different domains', () => {
    const bench = new Bench();
    void bench.send(['a', 'b']);
    bench.die(bench.worker('w/1'));
    expect([bench.worker('w/2').inputs, bench.worker('w/3').inputs]).toEqual([[['a']], [['b']]]);
  });
});

describe('a worker that the supervisor takes away', () => {
  it('has its inputs run again as before, three times, and nobody is blamed', async () => {
    const bench = new Bench();
    const reply = bench.send(['a', 'b']);
    for (let i = 1; i <= 4; i++) {
      const slot = bench.worker(`w/${i}`);
      expect(slot.inputs).toEqual([['a', 'b']]);
      bench.die(slot, 'dead-by-supervisor');
    }
    const results = await reply;
    expect(brief(results)).toEqual(['SUP_WORKER_DIED', 'SUP_WORKER_DIED']);
    expect(results[0]).toMatchObject({ error: { message: expect.stringContaining('retried 3 times') } });
    expect(bench.dispatcher.quarantine.list()).toEqual([]);
  });

  it('has several batches run again in the order of before', () => {
    const bench = new Bench({ concurrency: 2, batching: { maxSize: 2, maxDelayMs: 0, preferred: [] } });
    const first = bench.worker('w/1');
    void bench.send(['a', 'b', 'c', 'd']);
    void bench.send(['e']);
    bench.die(first, 'dead-by-supervisor');
    const second = bench.worker('w/2');
    bench.answer(second);
    expect([first.inputs, second.inputs]).toEqual([
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      [['a', 'b'], ['c', 'd'], ['e']],
    ]);
  });

  it('fails them with the reason when no worker is going to come', async () => {
    const bench = new Bench();
    const slot = bench.worker('w/1');
    const reply = bench.send(['a']);
    const error = new SupError('SUP_APP_STOPPED', 'echo is stopped');
    bench.dispatcher.setAvailability({ kind: 'down', error });
    bench.die(slot, 'dead-by-supervisor');
    expect(await reply).toEqual([{ ok: false, error }]);
  });
});

describe('quarantine', () => {
  it('takes an input whose workers died twice while it was alone, and no other', async () => {
    const bench = new Bench();
    const first = bench.worker('w/1');
    const reply = bench.send(['poison']);
    bench.die(first);
    bench.die(bench.worker('w/2'));
    expect(brief(await reply)).toEqual(['SUP_WORKER_DIED']);
    const slot = bench.worker('w/3');
    const next = bench.send(['poison', 'fine']);
    bench.answer(slot);
    expect(brief(await next)).toEqual(['SUP_QUARANTINED', 'FINE']);
    expect(bench.decisions.map((d) => d.action)).toEqual(['quarantine']);
    bench.advance(600_000);
    const later = bench.send(['poison']);
    bench.answer(slot);
    expect(brief(await later)).toEqual(['POISON']);
  });

  it('lets go what an operator clears', async () => {
    const bench = new Bench();
    const reply = bench.send(['poison']);
    for (const worker of ['w/1', 'w/2']) bench.die(bench.worker(worker));
    expect(brief(await reply)).toEqual(['SUP_WORKER_DIED']);
    expect(bench.dispatcher.quarantine.clear()).toBe(1);
    const slot = bench.worker('w/3');
    void bench.send(['poison']);
    expect(slot.inputs).toEqual([['poison']]);
  });

  it('does not count a death beside another batch of the same host', async () => {
    const bench = new Bench({ batching: { maxSize: 1, maxDelayMs: 0, preferred: [] } });
    const slots = [bench.worker('w/1', 'host'), bench.worker('w/2', 'host')];
    void bench.send(['a']);
    void bench.send(['b']);
    for (const slot of slots) bench.dispatcher.remove(slot.worker, 'dead-own-fault');
    expect(bench.dispatcher.quarantine.list()).toEqual([]);
  });

  it('runs an input with one strike alone the next time, and forgives it when it is answered', async () => {
    const bench = new Bench();
    const reply = bench.send(['shaky', 'x']);
    bench.die(bench.worker('w/1'));
    const second = bench.worker('w/2');
    bench.die(second);
    const third = bench.worker('w/3');
    bench.answer(third);
    expect(brief(await reply)).toEqual(['SUP_WORKER_DIED', 'X']);
    void bench.send(['a', 'shaky', 'b']);
    expect(third.inputs.slice(1)).toEqual([['shaky']]);
    bench.answer(third);
    expect(third.inputs.slice(2)).toEqual([['a', 'b']]);
    expect(bench.dispatcher.quarantine.list()).toEqual([]);
  });

  it('takes its likes out of the queue', async () => {
    const bench = new Bench({ batching: { maxSize: 1, maxDelayMs: 0, preferred: [] } });
    const first = bench.worker('w/1');
    const replies = [bench.send(['poison']), bench.send(['poison']), bench.send(['fine'])];
    bench.die(first);
    bench.die(bench.worker('w/2'));
    bench.answer(bench.worker('w/3'));
    expect((await Promise.all(replies)).map(brief)).toEqual([['SUP_WORKER_DIED'], ['SUP_QUARANTINED'], ['FINE']]);
  });

  it('suspects what hung in one batch, and finds the one by running each alone', async () => {
    const bench = new Bench();
    const first = bench.worker('w/1');
    const hung = bench.send(['loop', 'fine']);
    bench.advance(1500);
    expect(brief(await hung)).toEqual(['SUP_DEADLINE', 'SUP_DEADLINE']);
    bench.die(first);
    const second = bench.worker('w/2');
    void bench.send(['fine', 'loop']);
    expect(second.inputs).toEqual([['fine']]);
    bench.answer(second);
    expect(second.inputs).toEqual([['fine'], ['loop']]);
  });
});
