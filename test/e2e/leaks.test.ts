import { expect, it } from 'vitest';
import type { ResourceReport } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';

const WINDOW = 'window: 1m, min_growth: 20MiB';
const MB = 1e6;

it('leaks are suspected in processes, threads and http workers, and nothing else is; on demand they are replaced', async () => {
  const model = (name: string, rate: number, more: string) =>
    `  ${name}: { module: $FIXTURES/models/leaks-alone.mjs, options: { mib_per_second: ${rate} }, ${more} }`;
  const box = await Box.open(`apps:
${model('process', 2, `leak: { ${WINDOW} }, recycle: { max_memory: 4GiB, jitter: 0% }`)}
${model('thread', 2, `isolation: thread, leak: { ${WINDOW} }`)}
${model('replaced', 2, `leak: { ${WINDOW}, recycle: true }`)}
${model('healthy', 0, `leak: { ${WINDOW} }`)}
  web: { script: $FIXTURES/http/leaks-alone.mjs, port: $WEB, leak: { ${WINDOW} } }
`);
  await box.ok('start', 'supervisor.yaml');
  const suspected = async () =>
    (await box.decisions((d) => d.policy === 'leak' && d.action === 'suspect')).map((d) => d.subject).sort();
  const all = ['process@v1/1', 'replaced@v1/1', 'thread@v1/1', 'web/1'];
  await until(
    async () => {
      const found = await suspected();
      return all.every((worker) => found.includes(worker));
    },
    'all leaks to be suspected',
    100_000,
  );
  const [decision] = await box.decisions((d) => d.action === 'suspect' && d.subject === 'process@v1/1');
  expect(decision?.numbers.mb_per_minute).toBeGreaterThan((1.2 * 1024 ** 2 * 60) / MB);
  expect(decision?.numbers.mb_per_minute).toBeLessThan((3 * 1024 ** 2 * 60) / MB);
  expect(decision?.numbers.seconds_to_limit).toBeGreaterThan(0);
  expect(decision?.reason).toMatch(/MB\/min/);
  const { growth, recommendations } = (await box.api('GET', '/api/resources')).json as ResourceReport;
  expect(growth.find((row) => row.worker === 'process@v1/1')).toMatchObject({ suspected: true });
  expect(recommendations.filter((r) => r.type === 'leak').map((r) => r.subject)).toContain('process@v1/1');
  await until(async () => (await box.row('replaced')).recycles > 0, 'the one to be replaced');
  expect(await box.row('process')).toMatchObject({ recycles: 0, ready: 1 });
  expect((await suspected()).filter((worker) => worker.startsWith('healthy'))).toEqual([]);
}, 150_000);
