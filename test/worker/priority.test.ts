import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import os from 'node:os';
import { expect, it } from 'vitest';
import { bootQuietly, serveNormally } from '../../src/worker/priority.js';

it('boots at a low priority only where that can be undone, and then undoes it for every thread', async () => {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const pid = child.pid as number;
    const usual = os.getPriority(pid);
    bootQuietly(pid);
    expect(os.getPriority(pid)).toBe(process.getuid?.() === 0 ? 10 : usual);
    await once(child.stdout, 'data');
    serveNormally(pid);
    const threads = readdirSync(`/proc/${pid}/task`).map(Number);
    expect(threads.length).toBeGreaterThan(1);
    expect(threads.map((thread) => os.getPriority(thread))).toEqual(threads.map(() => usual));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

it('does nothing to a process that is gone', () => {
  bootQuietly(10_000_000);
  serveNormally(10_000_000);
  serveNormally(null);
});
