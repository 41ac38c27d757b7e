import { describe, expect, it } from 'vitest';
import type { UnloadedMessage } from '../../src/worker/protocol.js';
import { PoolRig, turn } from '../support/fake-pool.js';

const unloaded: UnloadedMessage = {
  type: 'unloaded',
  before: { liveBytes: 2, rssBytes: 2 },
  after: { liveBytes: 1, rssBytes: 1 },
  errors: ['unload failed: no'],
};

describe('what a worker said of its unloading', () => {
  it('is known after its end, and not of its next life', async () => {
    const rig = new PoolRig();
    const started = rig.pool.start(2);
    await rig.bootAll();
    await started;
    const workers = rig.pool.workers;
    rig.pool.setSize(1);
    await turn();
    const [leaving, other] = workers.toSorted((a) => (a.state === 'draining' ? -1 : 1));
    for (const worker of workers) {
      rig.of(worker.id).says(unloaded);
      rig.of(worker.id).exit(1);
    }
    await turn();
    expect(leaving?.state).toBe('stopped');
    expect(leaving?.unloaded).toEqual(unloaded);
    expect(other?.state).toBe('starting');
    expect(other?.unloaded).toBeNull();
  });
});
