import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { CleanupResult, MemorySnapshot } from '../../src/embed/memory.js';
import { PACKAGE } from '../support/live-workers.js';

const MIB = 1024 ** 2;
const run = promisify(execFile);

/** What a program of its own prints; `program` uses the package and prints JSON. */
async function printed<T>(program: string, ...nodeArgs: string[]): Promise<T> {
  const source = `import { checkAndCleanup, registerCleanup, snapshot } from ${JSON.stringify(PACKAGE)};
    const print = (value) => console.log(JSON.stringify(value));
    ${program}`;
  const { stdout } = await run(process.execPath, [...nodeArgs, '--input-type=module', '-e', source], {
    timeout: 30_000,
  });
  return JSON.parse(stdout) as T;
}

const HOARD = `let hoard = Array.from({ length: 10 }, () => Buffer.alloc(10 * 1024 ** 2, 1));`;

describe.concurrent('snapshot', () => {
  it('tells what the process and the machine have', async () => {
    const { before, after } = await printed<Record<'before' | 'after', MemorySnapshot>>(
      `const before = snapshot(); ${HOARD} print({ before, after: snapshot(), hoard: hoard.length });`,
    );
    expect(before.rssBytes).toBeGreaterThan(10 * MIB);
    expect(before.vmsBytes).toBeGreaterThan(before.rssBytes);
    expect(before.heapUsedBytes).toBeLessThanOrEqual(before.heapTotalBytes);
    expect(before.heapTotalBytes).toBeLessThan(before.heapLimitBytes);
    expect(before.availableBytes).toBeLessThanOrEqual(before.totalBytes);
    expect(before.usedShare).toBeCloseTo(1 - before.availableBytes / before.totalBytes, 5);
    expect(after.rssBytes - before.rssBytes).toBeGreaterThan(90 * MIB);
    expect(after.externalBytes - before.externalBytes).toBeGreaterThan(99 * MIB);
    expect(after.arrayBufferBytes - before.arrayBufferBytes).toBeGreaterThan(99 * MIB);
  });
});

describe.concurrent('checkAndCleanup', () => {
  it('does nothing below the threshold', async () => {
    const [result, calls] = await printed<[CleanupResult, string[]]>(`
      const calls = [];
      registerCleanup((level) => calls.push(level));
      const limitBytes = 100 * snapshot().rssBytes;
      print([await checkAndCleanup({ limitBytes }), calls]);`);
    expect(result).toMatchObject({ cleaned: false, freedBytes: 0, passes: 0, errors: [] });
    expect(result.beforeBytes).toBe(result.afterBytes);
    expect(calls).toEqual([]);
  });

  it.each([
    ['trim', 0.85],
    ['emergency', 0.97],
  ])('asks for %s at a share of %f, and frees what the hooks drop', async (level, share) => {
    const [result, calls] = await printed<[CleanupResult, string[]]>(`
      ${HOARD}
      const calls = [];
      registerCleanup(async (level) => {
        calls.push(level);
        hoard = [];
      });
      print([await checkAndCleanup({ limitBytes: snapshot().rssBytes / ${share} }), calls]);`);
    expect(calls).toEqual([level]);
    expect(result.cleaned).toBe(true);
    expect(result.passes).toBeGreaterThanOrEqual(2);
    expect(result.freedBytes).toBe(result.beforeBytes - result.afterBytes);
    expect(result.freedBytes).toBeGreaterThan(50 * MIB);
  });

  it('can be forced, at a level, and told from which share on', async () => {
    const calls = await printed<string[]>(`
      const calls = [];
      registerCleanup((level) => calls.push(level));
      const limitBytes = 4 * snapshot().rssBytes;
      await checkAndCleanup({ limitBytes });
      await checkAndCleanup({ limitBytes, threshold: 0.2 });
      await checkAndCleanup({ limitBytes, force: true });
      await checkAndCleanup({ limitBytes, force: true, level: 'emergency' });
      print(calls);`);
    expect(calls).toEqual(['trim', 'trim', 'emergency']);
  });

  it('is one where two are asked for at once', async () => {
    const [results, calls] = await printed<[CleanupResult[], string[]]>(`
      const calls = [];
      registerCleanup((level) => calls.push(level));
      const both = await Promise.all([checkAndCleanup({ force: true }), checkAndCleanup({ force: true })]);
      print([both, calls]);`);
    expect(results[0]).toEqual(results[1]);
    expect(calls).toEqual(['trim']);
  });

  it('names hooks that fail, and ends nevertheless', async () => {
    const { errors, passes } = await printed<CleanupResult>(`
      registerCleanup(() => { throw new Error('no'); }, { name: 'cache' });
      registerCleanup(function hangs() { return new Promise(() => {}); });
      registerCleanup(() => Promise.reject('why'));
      print(await checkAndCleanup({ force: true }));`);
    expect(errors.toSorted()).toEqual(['cache: no', 'cleanup hook: why', 'hangs: did not settle within 3 s']);
    expect(passes).toBeGreaterThanOrEqual(1);
  });

  it('refuses what makes no sense', async () => {
    const codes = await printed<string[]>(`
      const wrong = [{ limitBytes: 0 }, { limitBytes: NaN }, { threshold: 0 }, { threshold: 80 }, { level: 'all' }];
      print(await Promise.all(wrong.map((options) => checkAndCleanup({ force: true, ...options }).catch(({ code }) => code))));`);
    expect(codes).toEqual(Array(5).fill('SUP_BAD_REQUEST'));
  });

  it('works with --expose-gc as well as in a thread, and leaves both as they are', async () => {
    const exposed = await printed<[number, string]>(
      'print([(await checkAndCleanup({ force: true })).passes, typeof gc]);',
      '--expose-gc',
    );
    expect(exposed).toEqual([expect.any(Number), 'function']);
    const inThread = `import { parentPort } from 'node:worker_threads';
      import { checkAndCleanup } from ${JSON.stringify(PACKAGE)};
      parentPort.postMessage([(await checkAndCleanup({ force: true })).passes, typeof gc]);`;
    const thread = await printed<[number, string]>(`
      import { Worker } from 'node:worker_threads';
      new Worker(new URL(${JSON.stringify(`data:text/javascript,${encodeURIComponent(inThread)}`)})).on('message', print);`);
    expect(thread).toEqual([expect.any(Number), 'undefined']);
    for (const [passes] of [exposed, thread]) expect(passes).toBeGreaterThanOrEqual(1);
  });
});

describe.concurrent('registerCleanup', () => {
  it('takes functions only, and takes them back', async () => {
    const seen = await printed<unknown[]>(`
      const calls = [];
      const withdraw = registerCleanup(() => calls.push('withdrawn'));
      withdraw();
      withdraw();
      await checkAndCleanup({ force: true });
      let refused;
      try { registerCleanup('clear'); } catch (error) { refused = error.name; }
      print([calls, refused]);`);
    expect(seen).toEqual([[], 'TypeError']);
  });

  it('meets the hooks of another copy of the package', async ({ onTestFinished }) => {
    const dir = mkdtempSync(path.join(os.tmpdir(), 'copy-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const copy = path.join(dir, 'cleanup-hooks.cjs');
    copyFileSync(new URL('embed/cleanup-hooks.cjs', PACKAGE), copy);
    const calls = await printed<string[]>(`
      const { registerCleanup: registerOther } = await import(${JSON.stringify(copy)});
      const calls = [];
      registerOther(() => calls.push('other'));
      registerCleanup(() => calls.push('own'));
      await checkAndCleanup({ force: true });
      print([...calls.toSorted(), registerOther === registerCleanup]);`);
    expect(calls).toEqual(['other', 'own', false]);
  });

  it('does not bring the master along', async () => {
    const [before, after] = await printed<[string[], string[]]>(`
      import module from 'node:module';
      const packages = () => Object.keys(module._cache).filter((file) => file.includes('/node_modules/'));
      const before = packages();
      await import(${JSON.stringify(new URL('master/master.js', PACKAGE).href)});
      print([before, packages()]);`);
    expect(before).toEqual([]);
    expect(after).not.toEqual([]);
  });

  it('works in CommonJS', async () => {
    const file = JSON.stringify(fileURLToPath(PACKAGE));
    const source = `const { checkAndCleanup, registerCleanup } = require(${file});
      registerCleanup((level) => console.log(level));
      checkAndCleanup({ force: true });`;
    const { stdout } = await run(process.execPath, ['--input-type=commonjs', '-e', source]);
    expect(stdout).toBe('trim\n');
  });
});
