import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { endHosts, loadMessage, TestHost } from '../support/model-host.js';

afterEach(endHosts);

const ok = (output: unknown) => ({ ok: true, output });

describe('a model in a process', () => {
  it('says hello, loads, warms up, and answers a batch in its order', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    expect(host.messages[0]).toEqual({ type: 'hello', pid: host.pid });
    expect((await host.type('loaded')).info).toMatchObject({ platform: 'test', rows: false });
    expect(await host.predict(1, ['a', 'b', 'batch'])).toEqual([ok('A'), ok('B'), ok(3)]);
  });

  it('gives the model its context, and its options', async () => {
    const host = await new TestHost('process').loaded('context.mjs', { name: 'world' });
    const told = { greeting: 'hello world', app: 'echo', version: 'v1', worker: 'echo@v1/1' };
    expect(await host.predict(1, [0])).toEqual([ok(told)]);
  });

  it('takes a CommonJS module', async () => {
    const host = await new TestHost('process').loaded('commonjs.cjs');
    expect(await host.predict(1, [1, 2])).toEqual([ok(2), ok(3)]);
  });

  it('passes typed arrays both ways', async () => {
    const host = await new TestHost('process').loaded('unserialisable.mjs');
    expect(await host.predict(1, [new Float32Array([1, 2])])).toEqual([ok(new Float32Array([1, 2]))]);
  });

  it.each([
    ['load-throws.mjs', /^weights\.bin is missing$/],
    ['no-predict.mjs', /exports no predict function.*it exports answer/],
    ['bad-warmup.mjs', /^warmup input 0 failed: TypeError: not today$/],
    ['missing.mjs', /missing\.mjs/],
  ])('reports why %s did not load, and exits 1', async (fixture, message) => {
    const host = new TestHost('process');
    host.send(loadMessage(fixture));
    const failure = await host.type('loadFailed');
    expect(failure.message).toMatch(message);
    expect(failure.stack).toContain('Error');
    expect(await host.closed).toEqual({ code: 1, signal: null });
    expect(host.output).toMatch(new RegExp(message.source.replace(/^\^|\$$/g, '')));
  });

  it('answers the neighbours of an input that throws', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    const outcomes = await host.predict(1, ['a', 'throw', 'b']);
    expect(outcomes).toEqual([ok('A'), { ok: false, name: 'RangeError', message: 'bad input' }, ok('B')]);
  });

  it('answers the neighbours of an input that the model leaves out', async () => {
    const host = await new TestHost('process').loaded('wrong-length.mjs');
    const left = { ok: false, name: 'Error', message: 'predict returned 0 outputs for 1 inputs' };
    expect(await host.predict(1, ['a', 'skip', 'b'])).toEqual([ok('a'), left, ok('b')]);
    const none = { ok: false, name: 'TypeError', message: 'predict returned a string instead of an array of outputs' };
    expect(await host.predict(2, ['all', 'b'])).toEqual([none, none]);
  });

  it('makes an error of an output that cannot be sent, and lives', async () => {
    const host = await new TestHost('process').loaded('unserialisable.mjs');
    const [first, second] = await host.predict(1, ['a', 'function']);
    expect(first).toEqual(ok('a'));
    expect(second).toMatchObject({ ok: false, name: 'TypeError', message: expect.stringContaining('cannot be sent') });
    expect(await host.predict(2, ['a'])).toEqual([ok('a')]);
  });

  it('aborts the signal of one batch and of no other', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    for (const batch of [1, 2]) host.send({ type: 'predict', batch, inputs: ['wait'], timeoutMs: 5000 });
    host.send({ type: 'abort', batch: 2 });
    expect((await host.result(2)).outcomes).toEqual([ok('ABORTED')]);
    expect(host.messages.some((m) => 'type' in m && m.type === 'result' && m.batch === 1)).toBe(false);
  });

  it('beats while it is idle, and counts what it did', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    await host.predict(1, ['a', 'b']);
    const beat = await host.seen((m): m is never => 'type' in m && m.type === 'heartbeat' && m.requests === 2);
    expect(beat).toMatchObject({ type: 'heartbeat', requests: 2, users: 0, inFlight: 0 });
  });

  it.each([
    ['die', { code: 3, signal: null }],
    ['segv', { code: null, signal: 'SIGKILL' }],
    ['reject-later', { code: 1, signal: null }],
  ])('dies of %s', async (input, exit) => {
    const host = await new TestHost('process').loaded('echo.mjs');
    host.send({ type: 'predict', batch: 1, inputs: [input], timeoutMs: 5000 });
    expect(await host.closed).toEqual(exit);
    if (input === 'reject-later') expect(host.output).toContain('late and unhandled');
  });

  it.each(['unload', 'SIGTERM'] as const)(
    'on %s ends what is in flight, unloads, and closes in reverse',
    async (how) => {
      const host = await new TestHost('process').loaded('slow-unload.mjs', { unloadMs: 50 });
      if (how === 'unload') host.send({ type: 'unload' });
      else host.kill('SIGTERM');
      expect(await host.closed).toEqual({ code: 0, signal: null });
      expect(host.output.match(/unloaded|closed \w+/g)).toEqual(['unloaded', 'closed last', 'closed first']);
      expect(host.output).toContain('closing broken failed: Error: will not close');
    },
  );

  it('does not wait for a load that hangs', async () => {
    const host = new TestHost('process');
    host.send(loadMessage('load-hangs.mjs'));
    await host.type('hello');
    host.kill('SIGTERM');
    expect(await host.closed).toEqual({ code: 0, signal: null });
  });

  it('ends with its master', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    host.disconnect();
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  it('neither ends at Ctrl-C nor opens the inspector', async () => {
    const host = await new TestHost('process').loaded('echo.mjs');
    host.kill('SIGINT');
    host.kill('SIGUSR1');
    expect(await host.predict(1, ['alive'])).toEqual([ok('ALIVE')]);
    expect(host.output).not.toContain('Debugger');
    expect(readFileSync(`/proc/${host.pid}/cmdline`, 'utf8')).toContain('model-host.js');
  });
});
