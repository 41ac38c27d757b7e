import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LiveHeap } from '../../src/monitor/live-heap.js';

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as (options?: { type: 'minor' }) => void;
const MIB = 1024 ** 2;

/** The live size after the next full collection that is told of. */
async function afterCollection(heap: LiveHeap): Promise<number> {
  const before = heap.point().liveBytes;
  collectGarbage();
  await expect.poll(() => heap.point().liveBytes).not.toBe(before);
  return Number(heap.point().liveBytes);
}

describe('LiveHeap', () => {
  it('knows what lived after the last full collection, and nothing before the first', async () => {
    // No collection is due then, which would be one more than the test makes.
    collectGarbage();
    const heap = new LiveHeap();
    heap.start();
    heap.start();
    expect(heap.point().liveBytes).toBeNull();
    collectGarbage({ type: 'minor' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heap.point().liveBytes).toBeNull();
    const empty = await afterCollection(heap);
    let kept: unknown = Array.from({ length: 1_000_000 }, (_, n) => ({ n }));
    const filled = await afterCollection(heap);
    expect(filled - empty).toBeGreaterThan(15 * MIB);
    const { usedBytes, heldBytes } = heap.point();
    expect(heldBytes).toBeGreaterThanOrEqual(usedBytes);
    expect((kept as unknown[]).length).toBe(1_000_000);
    kept = null;
    expect(filled - (await afterCollection(heap))).toBeGreaterThan(15 * MIB);
    heap.stop();
    heap.stop();
    const last = heap.point().liveBytes;
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(heap.point().liveBytes).toBe(last);
  });
});
