import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { MonitorStatus, Span } from '../../src/index.js';

const DIST = process.env.SUPERVISOR_TEST_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));

/** A program that imports the package, and what it prints as JSON. */
async function run<T>(program: string): Promise<{ result: T; stderr: string }> {
  const script = `import * as supervisor from '${DIST}/src/index.js';\n${program}`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 60_000,
  });
  return { result: JSON.parse(stdout) as T, stderr };
}

describe('a program with a monitor', () => {
  it('sees itself with the real sensors, and ends when its own work is done', async () => {
    const { result, stderr } = await run<{ status: MonitorStatus; spans: Span[] }>(`
      const monitor = supervisor.createResourceMonitor({ intervalMs: 100 });
      monitor.start();
      await monitor.track('hoard', async () => {
        const held = Buffer.alloc(100 * 2 ** 20, 1);
        await new Promise((resolve) => setTimeout(resolve, 500));
        return held.length;
      });
      // No stop(): nothing of the monitor may keep the process alive.
      console.log(JSON.stringify({ status: monitor.status(), spans: monitor.spans() }));`);
    const { memory, process: self, cpu } = result.status;
    expect(Number(memory.usedBytes)).toBeGreaterThan(100 * 2 ** 20);
    expect(Number(memory.limitBytes)).toBeGreaterThan(Number(memory.usedBytes));
    expect(Number(self.rssBytes)).toBeGreaterThan(100 * 2 ** 20);
    expect(self.externalBytes).toBeGreaterThan(100 * 2 ** 20);
    expect(cpu?.share).toBeGreaterThanOrEqual(0);
    const [span] = result.spans as [Span];
    expect(span).toMatchObject({ name: 'hoard', error: null });
    expect(Number(span.memoryPeakBytes) - Number(span.memoryBeforeBytes)).toBeGreaterThan(90 * 2 ** 20);
    expect(stderr).toBe('');
  });

  it('is told of a hook that fails on stderr, once, and goes on', async () => {
    const { result, stderr } = await run<number[]>(`
      const hooks = [{ name: 'mine', before() { throw new Error('oh'); }, async after() { throw new Error('no'); } }];
      const monitor = supervisor.createResourceMonitor({ hooks });
      const results = [];
      for (let i = 0; i < 3; i++) results.push(await monitor.track('x', () => i));
      console.log(JSON.stringify(results));`);
    expect(result).toEqual([0, 1, 2]);
    expect(stderr.trim().split('\n')).toEqual([
      "model-supervisor: hook 'mine' failed in before: oh",
      "model-supervisor: hook 'mine' failed in after: no",
    ]);
  });
});
