import { afterEach, describe, expect, it } from 'vitest';
import { endHosts, loadMessage, TestHost } from '../support/model-host.js';

afterEach(endHosts);

const ok = (output: unknown) => ({ ok: true, output });

async function withThreads(fixture: string, count: number, concurrency = 1): Promise<TestHost> {
  const host = new TestHost('thread');
  for (let thread = 1; thread <= count; thread++) {
    host.send({ thread: 0, message: { type: 'startThread', thread, concurrency, resourceLimitsMb: null } });
    host.send({ thread, message: loadMessage(fixture) });
  }
  for (let thread = 1; thread <= count; thread++) await host.ofThread(thread, 'loaded');
  return host;
}

async function predict(host: TestHost, thread: number, batch: number, inputs: unknown[]) {
  host.send({ thread, message: { type: 'predict', batch, inputs, timeoutMs: 5000 } });
  return (await host.ofThread(thread, 'result', batch)).outcomes;
}

describe('models in the threads of a host', () => {
  it('says hello for itself and for each thread, and answers', async () => {
    const host = await withThreads('echo.mjs', 2);
    for (const thread of [0, 1, 2])
      expect(await host.ofThread(thread, 'hello')).toEqual({ type: 'hello', pid: host.pid });
    expect(await predict(host, 1, 1, ['a', 'b', 'batch'])).toEqual([ok('A'), ok('B'), ok(3)]);
    expect(await predict(host, 2, 2, ['c'])).toEqual([ok('C')]);
  });

  it('beats from the loop of each thread, and from its own', async () => {
    const host = await withThreads('echo.mjs', 2);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block'], timeoutMs: 5000 } });
    host.messages.length = 0;
    await host.ofThread(2, 'heartbeat');
    await host.ofThread(0, 'heartbeat');
    expect(host.messages.filter((m) => 'thread' in m && m.thread === 1)).toEqual([]);
  });

  it('reports a thread that did not load, and then its end', async () => {
    const host = new TestHost('thread');
    host.send({ thread: 0, message: { type: 'startThread', thread: 1, concurrency: 1, resourceLimitsMb: null } });
    host.send({ thread: 1, message: loadMessage('load-throws.mjs') });
    expect((await host.ofThread(1, 'threadExit')).message).toBe('weights.bin is missing');
    expect((await host.ofThread(1, 'loadFailed')).message).toBe('weights.bin is missing');
    const order = host.messages.map((m) => ('thread' in m ? m.message.type : ''));
    expect(order.indexOf('loadFailed')).toBeLessThan(order.indexOf('threadExit'));
  });

  it.each([
    ['die', /exited with code 3/],
    ['reject-later', /late and unhandled/],
  ])('reports a thread that died of %s, starts no other by itself, and goes on', async (input, message) => {
    const host = await withThreads('echo.mjs', 2);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: [input], timeoutMs: 5000 } });
    expect((await host.ofThread(1, 'threadExit')).message).toMatch(message);
    expect(await predict(host, 2, 2, ['alive'])).toEqual([ok('ALIVE')]);
    host.messages.length = 0;
    await host.ofThread(2, 'heartbeat');
    expect(host.messages.filter((m) => 'thread' in m && m.thread === 1)).toEqual([]);
  });

  it('dies as a whole when a thread takes the process down', async () => {
    const host = await withThreads('echo.mjs', 2);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['segv'], timeoutMs: 5000 } });
    expect(await host.closed).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('makes an error of an output that cannot be sent, whichever way it cannot', async () => {
    const host = await withThreads('unserialisable.mjs', 1);
    const outcomes = await predict(host, 1, 1, ['a', 'function', 'shared']);
    expect(outcomes[0]).toEqual(ok('a'));
    for (const outcome of outcomes.slice(1)) expect(outcome).toMatchObject({ ok: false, name: 'TypeError' });
    expect(await predict(host, 1, 2, ['a'])).toEqual([ok('a')]);
  });

  it('aborts a batch without ending its thread', async () => {
    const host = await withThreads('echo.mjs', 1, 2);
    for (const batch of [1, 2])
      host.send({ thread: 1, message: { type: 'predict', batch, inputs: ['wait'], timeoutMs: 5000 } });
    host.send({ thread: 1, message: { type: 'abort', batch: 2 } });
    expect((await host.ofThread(1, 'result', 2)).outcomes).toEqual([ok('ABORTED')]);
    host.send({ thread: 1, message: { type: 'abort', batch: 1 } });
    expect((await host.ofThread(1, 'result', 1)).outcomes).toEqual([ok('ABORTED')]);
  });

  it('unloads a thread that is asked to end', async () => {
    const host = new TestHost('thread');
    host.send({ thread: 0, message: { type: 'startThread', thread: 1, concurrency: 1, resourceLimitsMb: null } });
    host.send({ thread: 1, message: loadMessage('slow-unload.mjs', { unloadMs: 20 }) });
    await host.ofThread(1, 'loaded');
    host.send({ thread: 0, message: { type: 'endThread', thread: 1 } });
    expect((await host.ofThread(1, 'threadExit')).message).toBeNull();
    host.kill('SIGTERM');
    expect(await host.closed).toEqual({ code: 0, signal: null });
    expect(host.output.match(/unloaded|closed \w+/g)).toEqual(['unloaded', 'closed last', 'closed first']);
  });

  it('terminates a thread that is blocked, once its grace is over', async () => {
    const host = await withThreads('echo.mjs', 1);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block'], timeoutMs: 5000 } });
    host.send({ thread: 0, message: { type: 'endThread', thread: 1, graceMs: 100 } });
    expect((await host.ofThread(1, 'threadExit')).message).toBeNull();
  });

  it('kills itself when a thread is in native code and cannot be terminated', async () => {
    const host = await withThreads('native-block.mjs', 1);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block'], timeoutMs: 5000 } });
    await host.said('blocked');
    host.send({ thread: 0, message: { type: 'endThread', thread: 1, graceMs: 0 } });
    expect(await host.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('unloads all threads on SIGTERM', async () => {
    const host = await withThreads('echo.mjs', 2);
    host.kill('SIGTERM');
    expect(await host.closed).toEqual({ code: 0, signal: null });
  });

  it('ends with its master, blocked threads and all', async () => {
    const host = await withThreads('echo.mjs', 1);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block'], timeoutMs: 5000 } });
    host.disconnect();
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });
});
