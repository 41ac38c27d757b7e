import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readProportional } from '../../src/sensing/procfs.js';
import { endHosts, loadMessage, TestHost } from '../support/model-host.js';

const MIB = 1024 ** 2;

let folder: string;
let releases = 0;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shares-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(endHosts);

/** What a loader waits for. */
function gate(): { release: string; open: () => void } {
  const release = path.join(folder, `release-${++releases}`);
  return { release, open: () => writeFileSync(release, '') };
}

function start(host: TestHost, thread: number, options: Record<string, unknown> = {}): void {
  host.send({ thread: 0, message: { type: 'startThread', thread, concurrency: 1, resourceLimitsMb: null } });
  host.send({ thread, message: loadMessage('shares.mjs', { name: `t${thread}`, ...options }) });
}

async function withThreads(count: number, options: Record<string, unknown> = {}): Promise<TestHost> {
  const host = new TestHost('thread');
  for (let thread = 1; thread <= count; thread++) start(host, thread, options);
  for (let thread = 1; thread <= count; thread++) await host.ofThread(thread, 'loaded');
  return host;
}

let batches = 0;
async function ask(host: TestHost, thread: number, input = ''): Promise<unknown> {
  const batch = ++batches;
  host.send({ thread, message: { type: 'predict', batch, inputs: [input], timeoutMs: 5000 } });
  const [outcome] = (await host.ofThread(thread, 'result', batch)).outcomes;
  return outcome?.ok ? outcome.output : outcome;
}

async function end(host: TestHost, ...threads: number[]): Promise<void> {
  for (const thread of threads) host.send({ thread: 0, message: { type: 'endThread', thread } });
  for (const thread of threads) await host.ofThread(thread, 'threadExit');
}

/** Lines come by another way than messages: all are there when the host has ended. */
async function said(host: TestHost, pattern: RegExp): Promise<string[]> {
  host.kill('SIGTERM');
  await host.closed;
  return host.output.match(pattern) ?? [];
}

const LOADS = /t\d loads/g;
const DISPOSALS = /t\d disposes/g;

describe('what the threads of a host share', () => {
  it('is loaded once, and the memory of a SharedArrayBuffer is the same in all of them', async () => {
    const host = await withThreads(3, { mib: 100 });
    await ask(host, 1, 'write 7');
    expect([await ask(host, 2), await ask(host, 3)]).toEqual([
      { byte: 7, same: true },
      { byte: 7, same: true },
    ]);
    expect(readProportional(host.pid)?.pssBytes).toBeLessThan(200 * MIB);
    expect(await said(host, LOADS)).toHaveLength(1);
  });

  it('is a copy otherwise, one in each of them', async () => {
    const host = await withThreads(2, { make: 'plain' });
    expect(await ask(host, 1, 'write 7')).toEqual({ byte: 7, same: true });
    expect(await ask(host, 2)).toEqual({ byte: 1, same: true });
    expect(await said(host, LOADS)).toHaveLength(1);
  });

  it('outlives the one that loaded it', async () => {
    const host = await withThreads(1);
    start(host, 2);
    await host.ofThread(2, 'loaded');
    await ask(host, 1, 'write 7');
    await end(host, 1);
    start(host, 3);
    await host.ofThread(3, 'loaded');
    expect(await ask(host, 3)).toEqual({ byte: 7, same: true });
    expect(await said(host, LOADS)).toEqual(['t1 loads']);
    expect(host.output).not.toContain('t1 disposes');
  });

  it('is disposed of by the last one that held it, after its resources, and loaded anew after that', async () => {
    const host = await withThreads(2);
    await end(host, 1);
    await end(host, 2);
    start(host, 3);
    await host.ofThread(3, 'loaded');
    const lines = await said(host, /t\d (loads|closes|disposes)/g);
    expect(lines.slice(1)).toEqual(['t1 closes', 't2 closes', 't2 disposes', 't3 loads', 't3 closes', 't3 disposes']);
  });

  it('is disposed of once when all end together', async () => {
    const host = await withThreads(3);
    await end(host, 1, 2, 3);
    expect(await said(host, DISPOSALS)).toHaveLength(1);
  });

  it('is loaded by the next one that waits when a loader throws', async () => {
    const host = new TestHost('thread');
    const { release, open } = gate();
    start(host, 1, { loader: 'throws', release });
    await host.said('t1 loads');
    start(host, 2);
    await host.ofThread(2, 'hello');
    open();
    await host.ofThread(2, 'loaded');
    expect((await host.ofThread(1, 'loadFailed')).message).toBe('t1 cannot load');
    // Its own second call was one that waited, too.
    expect(new Set(await said(host, LOADS))).toEqual(new Set(['t1 loads', 't2 loads']));
  });

  it('gives each its own error when all loaders throw', async () => {
    const host = new TestHost('thread');
    for (const thread of [1, 2]) start(host, thread, { loader: 'throws' });
    for (const thread of [1, 2])
      expect((await host.ofThread(thread, 'loadFailed')).message).toBe(`t${thread} cannot load`);
  });

  it('is loaded by the next one that waits when a thread dies with its loader', async () => {
    const host = new TestHost('thread');
    const { release, open } = gate();
    start(host, 1, { loader: 'dies', release });
    await host.said('t1 loads');
    start(host, 2);
    await host.ofThread(2, 'hello');
    open();
    await host.ofThread(2, 'loaded');
    expect((await host.ofThread(1, 'threadExit')).message).toMatch(/exited with code 3/);
  });

  it('names what cannot be passed on, and leaves it to the one that has it', async () => {
    const host = await withThreads(1, { make: 'function' });
    start(host, 2, { make: 'function' });
    expect((await host.ofThread(2, 'loadFailed')).message).toMatch(
      /^ctx\.share\('weights'\): its value can't pass from one thread to another \(.*could not be cloned.*SharedArrayBuffer/,
    );
    expect(await ask(host, 1)).toEqual({ same: true });
  });

  it('comes from an idle thread while another that has it is busy', async () => {
    const host = await withThreads(2);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block 60000'], timeoutMs: 5000 } });
    start(host, 3);
    await host.ofThread(3, 'loaded');
    expect(host.messages.some((m) => 'thread' in m && m.message.type === 'result')).toBe(false);
  });

  it('is loaded again when the thread that was to give it is terminated', async () => {
    const host = await withThreads(1);
    host.send({ thread: 1, message: { type: 'predict', batch: 1, inputs: ['block 60000'], timeoutMs: 5000 } });
    start(host, 2);
    await host.ofThread(2, 'hello');
    host.send({ thread: 0, message: { type: 'endThread', thread: 1, graceMs: 100 } });
    await host.ofThread(2, 'loaded');
    expect(await said(host, LOADS)).toEqual(['t1 loads', 't2 loads']);
  });
});

describe('what a model in a process shares', () => {
  it('is loaded once, and disposed of when it unloads', async () => {
    const host = await new TestHost('process').loaded('shares.mjs', { name: 't1' });
    const [outcome] = await host.predict(1, ['']);
    expect(outcome).toEqual({ ok: true, output: { byte: 1, same: true } });
    host.send({ type: 'unload' });
    await host.closed;
    expect(host.output.match(/t1 \w+/g)).toEqual(['t1 loads', 't1 closes', 't1 disposes']);
    expect((await host.type('unloaded')).errors).toEqual([]);
  });

  it('is tried again by who waits when a loader throws', async () => {
    const host = new TestHost('process');
    host.send(loadMessage('shares.mjs', { name: 't1', loader: 'throws' }));
    expect((await host.type('loadFailed')).message).toBe('t1 cannot load');
    await host.closed;
    expect(host.output.match(LOADS)).toHaveLength(2);
  });

  it('is reported when it cannot be disposed of', async () => {
    const host = await new TestHost('process').loaded('shares.mjs', { name: 't1', dispose: 'throws' });
    host.send({ type: 'unload' });
    expect((await host.type('unloaded')).errors).toEqual(['disposing of weights failed: cannot dispose']);
    expect(await host.closed).toEqual({ code: 0, signal: null });
  });
});
