import { afterAll, describe, expect, it } from 'vitest';
import { heapFlags, heapMebibytes } from '../../../src/worker/backends/heap.js';
import { endWorkers, LiveWorkers } from '../../support/live-workers.js';

afterAll(endWorkers);

const MIB = 1024 ** 2;
/** The young generation comes on top of what the limit is about. */
const YOUNG_BYTES = 64 * MIB;

describe('limits.heap', () => {
  it('is whole MiB, rounded down', () => {
    expect([heapMebibytes(null), heapFlags(null)]).toEqual([null, []]);
    expect([heapMebibytes(100.9 * MIB), heapFlags(100.9 * MIB)]).toEqual([100, ['--max-old-space-size=100']]);
  });

  it.each(['process', 'thread', 'http'] as const)('is the limit of the heap that a worker tells (%s)', async (kind) => {
    const limited = { heapBytes: 200 * MIB };
    const workers =
      kind === 'http' ? await LiveWorkers.http('bare.mjs', limited) : LiveWorkers.model(kind, 'leaks.mjs', limited);
    const { heapLimitBytes } = await (await workers.ready()).vitals();
    expect(heapLimitBytes).toBeGreaterThanOrEqual(200 * MIB);
    expect(heapLimitBytes).toBeLessThan(200 * MIB + YOUNG_BYTES);
  });

  it('gives way to a flag of node_args, which come later', async () => {
    const workers = LiveWorkers.model('process', 'leaks.mjs', {
      heapBytes: 200 * MIB,
      nodeArgs: ['--max-old-space-size=400'],
    });
    expect((await (await workers.ready()).vitals()).heapLimitBytes).toBeGreaterThanOrEqual(400 * MIB);
  });

  it('ends the one thread that needs more, and says why', async () => {
    const workers = LiveWorkers.model('thread', 'leaks.mjs', { heapBytes: 64 * MIB });
    const [leaky, sibling] = [await workers.ready(), await workers.ready()];
    let over = false;
    const ended = leaky.exited.finally(() => {
      over = true;
    });
    // One after the other: what grows faster than the engine can stop takes the whole process down.
    while (!over) await Promise.race([ended, leaky.predict(2).catch(() => {})]);
    expect((await ended).message).toBe('its heap is full: limits.heap is 64 MiB');
    expect(await sibling.predict(2)).toBe(2);
  });

  it('ends a process that needs more', async () => {
    const worker = await LiveWorkers.model('process', 'leaks.mjs', { heapBytes: 64 * MIB }).ready();
    worker.send({ type: 'predict', batch: 1, inputs: [300], timeoutMs: 20_000 });
    expect(await worker.exited).toMatchObject({ signal: 'SIGABRT' });
    expect(worker.said).toContain('heap out of memory');
  });
});
