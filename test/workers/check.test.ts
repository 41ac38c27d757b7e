import { afterEach, describe, expect, it } from 'vitest';
import { endWorkers, LiveWorkers } from '../support/live-workers.js';

afterEach(endWorkers);

describe.each(['process', 'thread'] as const)('a model in a %s, asked how it is', (isolation) => {
  it('asks its own health, and passes on what that throws', async () => {
    const worker = await LiveWorkers.model(isolation, 'unwell.mjs').ready();
    expect(await worker.check()).toMatchObject({ ok: true, message: null });
    await worker.predict('fall ill');
    expect(await worker.check()).toMatchObject({ ok: false, message: 'its health is false' });
    await worker.predict('fall apart');
    expect(await worker.check()).toMatchObject({ ok: false, message: 'in pieces' });
  });

  it('runs its warm-up input without a health of its own, and counts no request', async () => {
    const worker = await LiveWorkers.model(isolation, 'sickens.mjs').ready();
    expect(await worker.check()).toMatchObject({ ok: true, message: null });
    await worker.predict('break 60000');
    expect(await worker.check()).toMatchObject({ ok: false, message: 'broken' });
    const beat = await worker.seen((m) => m.type === 'heartbeat', worker.messages.length);
    expect(beat).toMatchObject({ requests: 1, inFlight: 0 });
  });

  it('is well where it can say nothing', async () => {
    const worker = await LiveWorkers.model(isolation, 'swallows.mjs').ready();
    expect(await worker.check()).toMatchObject({ ok: true, message: null });
  });
});
