import { afterAll, describe, it } from 'vitest';
import { ThreadHosts } from '../../../src/worker/backends/thread.js';
import { isAlive } from '../../../src/worker/kill.js';
import { endWorkers, type LiveOptions, LiveWorkers } from '../../support/live-workers.js';

afterAll(endWorkers);

interface Answer {
  byte: number;
  same: boolean;
}

function models(...more: LiveOptions[]): LiveWorkers[] {
  const hosts = new ThreadHosts();
  return more.map((own, index) =>
    LiveWorkers.model('thread', 'shares.mjs', {
      hosts,
      threadHost: 'zoo',
      ...own,
      options: { name: `t${index + 1}`, ...own.options },
    }),
  );
}

describe.concurrent('the threads of several models in one host', () => {
  it('share what they load, and it outlives the model that loaded it', async ({ expect }) => {
    const [a, b] = models({}, {}) as [LiveWorkers, LiveWorkers];
    const first = await a.ready();
    const second = await b.ready();
    expect(second.pid).toBe(first.pid);
    await first.predict('write 7');
    expect(await second.predict<Answer>('')).toEqual({ byte: 7, same: true });
    await first.park();
    expect(isAlive(second.pid)).toBe(true);
    const third = await a.ready();
    expect(await third.predict<Answer>('')).toEqual({ byte: 7, same: true });
    await Promise.all([second.park(), third.park()]);
    expect(isAlive(second.pid)).toBe(false);
    expect(first.said + second.said).not.toContain('t2 loads');
  });

  it('die together, and start in one host again', async ({ expect }) => {
    const [a, b] = models({}, {}) as [LiveWorkers, LiveWorkers];
    const [first, second] = [await a.ready(), await b.ready()];
    process.kill(first.pid, 'SIGKILL');
    for (const { message } of await Promise.all([first.exited, second.exited]))
      expect(message).toBe('its host zoo/host-1 killed by SIGKILL');
    const [third, fourth] = [await a.ready(), await b.ready()];
    expect(third.pid).toBe(fourth.pid);
    expect(third.pid).not.toBe(first.pid);
  });

  it('have hosts of their own where their environments differ', async ({ expect }) => {
    const [a, b, c] = models({}, { env: { MODE: 'other' } }, { threadHost: 'aviary' }) as LiveWorkers[];
    const pids = await Promise.all([a, b, c].map(async (each) => (await (each as LiveWorkers).ready()).pid));
    expect(new Set(pids).size).toBe(3);
  });

  it('go to a fresh host once one of them has left, and stay where they are until then', async ({ expect }) => {
    const [a, b] = models({}, {}) as [LiveWorkers, LiveWorkers];
    const [first, second] = [await a.ready(), await b.ready()];
    a.leave(first);
    const third = await a.ready();
    expect(third.pid).not.toBe(first.pid);
    await first.park();
    expect(await second.predict<Answer>('')).toMatchObject({ same: true });
    expect((await b.ready()).pid).toBe(third.pid);
  });

  it('print to the log of one that is still there', async ({ expect }) => {
    const [a, b] = models({}, {}) as [LiveWorkers, LiveWorkers];
    const [first, second] = [await a.ready(), await b.ready()];
    await expect.poll(() => first.said).toContain('t1 loads');
    await first.park();
    await second.park();
    await expect.poll(() => second.said).toContain('t2 disposes');
    expect(first.said).not.toContain('t2 disposes');
  });

  it('keep their host for any of them', async ({ expect }) => {
    const [a, b] = models({ keep: true }, { keep: true }) as [LiveWorkers, LiveWorkers];
    const [first, second] = [await a.ready(), await b.ready()];
    await first.park();
    expect([a.keptPid, b.keptPid]).toEqual([null, null]);
    await second.park();
    expect([a.keptPid, b.keptPid]).toEqual([first.pid, first.pid]);
    expect((await b.ready()).pid).toBe(first.pid);
    await a.release();
    expect(isAlive(first.pid)).toBe(true);
  });
});
