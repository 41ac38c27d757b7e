import { expect, it, onTestFinished } from 'vitest';
import type { createSupervisor } from '../../src/index.js';
import { Box } from '../support/box.js';
import { PACKAGE } from '../support/live-workers.js';

const MIB = 1024 ** 2;

it('collects the garbage of every Node worker, threads of a host in one measurement', async () => {
  const box = await Box.open(`apps:
  alone: { module: $FIXTURES/models/litters.mjs }
  threads: { module: $FIXTURES/models/litters.mjs, isolation: thread, workers: 2 }
  web: { script: $FIXTURES/http/bare.mjs, port: $WEB, workers: 1 }
  job: { command: [sleep, '600'] }
`);
  const program = (await import(PACKAGE)) as { createSupervisor: typeof createSupervisor };
  const supervisor = await program.createSupervisor({ home: box.home });
  onTestFinished(() => supervisor.shutdown('the test is over'));
  expect((await supervisor.apply(box.file)).ok).toBe(true);
  const ask = (model: string, input: string) =>
    supervisor.predict({
      model,
      version: null,
      inputs: [input],
      priority: 0,
      timeoutMs: null,
      user: null,
      sticky: null,
      signal: null,
    });
  await Promise.all([ask('alone', 'hold 40'), ask('threads', 'hold 20'), ask('threads', 'hold 20')]);
  const full = await supervisor.collectGarbage();
  await Promise.all([ask('alone', 'drop'), ask('threads', 'drop'), ask('threads', 'drop')]);
  const startedAt = Date.now();
  const [report, joined] = await Promise.all([supervisor.collectGarbage(), supervisor.collectGarbage()]);
  expect(joined).toBe(report);
  expect(report).toMatchObject({ workers: 4, unanswered: 0 });
  expect(report.at).toBeGreaterThanOrEqual(startedAt);
  const { beforeBytes, afterBytes } = report as { beforeBytes: number; afterBytes: number };
  expect(beforeBytes).toBeGreaterThan(70 * MIB);
  expect(beforeBytes - afterBytes).toBeGreaterThan(30 * MIB);
  // Counted once: three processes of less than 100 MiB each.
  expect(full.afterBytes).toBeLessThan(400 * MIB);
  expect((await ask('alone', '')).results).toMatchObject([{ ok: true, output: [] }]);
});
