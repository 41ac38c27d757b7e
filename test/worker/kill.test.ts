import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { isAlive } from '../../src/worker/kill.js';
import { until } from '../support/box.js';

it('a process that ended counts as gone, also while nobody collects it', async () => {
  // The shell starts a child and becomes a program that never waits for it.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const child = Number(line);
    expect(isAlive(child)).toBe(true);
    await until(() => readFileSync(`/proc/${child}/stat`, 'latin1').includes(') Z '), 'the child to end');
    expect(isAlive(child)).toBe(false);
    expect(isAlive(parent.pid as number)).toBe(true);
  } finally {
    parent.kill('SIGKILL');
    await once(parent, 'close');
  }
  expect(isAlive(parent.pid as number)).toBe(false);
});
