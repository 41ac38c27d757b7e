import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CleanupReport, ResourceReport } from '../../src/master/supervisor.js';
import { Box, request, until } from '../support/box.js';

describe('looking at a running master', () => {
  let box: Box;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  slow: { module: $FIXTURES/models/cleans-slowly.mjs, workers: { min: 2, max: 3 } }
  job: { command: [node, $FIXTURES/command/waits.mjs] }
`);
    await box.ok('start', 'supervisor.yaml');
    await until(async () => {
      const { workers } = (await box.api('GET', '/api/resources')).json as ResourceReport;
      return workers.every((worker) => worker.cpu_percent !== null);
    }, 'every worker to be sampled twice');
  });
  afterAll(() => box.close());

  it('supervisor top: a snapshot without a terminal, all of it as JSON', async () => {
    const text = await box.ok('top');
    for (const part of ['memory', 'cpu', 'slow@v1/1', 'job/1', 'it starts']) expect(text).toContain(part);
    expect(text).not.toContain('\u001b');
    const all = JSON.parse(await box.ok('monit', '--json')) as { resources: ResourceReport; apps: unknown[] };
    expect(Object.keys(all)).toEqual(['resources', 'apps', 'decisions']);
    expect([all.resources.workers.length, all.apps.length]).toEqual([3, 2]);
  });

  it('supervisor describe: the size in words, and what workers use', async () => {
    const text = await box.ok('describe', 'slow');
    expect(text).toMatch(/sizing +2 workers \(min 2, max 3\); /);
    expect(text).toMatch(/worker +memory +limit +rss.*\nslow@v1\/1 +\d/);
    expect(await box.ok('describe', 'job')).toMatch(/sizing +fixed/);
  });

  it('POST /api/cleanup/: wants the token, cleans every Node worker, and a second one joins', async () => {
    expect((await request(box.control, 'POST', '/api/cleanup/')).status).toBe(401);
    const answers = await Promise.all([box.api('POST', '/api/cleanup/'), box.api('POST', '/api/cleanup/', {})]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [first, second] = answers.map(({ json }) => json as CleanupReport) as [CleanupReport, CleanupReport];
    expect(second).toEqual(first);
    expect(first.took_ms).toBeGreaterThan(900);
    expect(first.took_ms).toBeLessThan(6000);
    const by = new Map(first.workers.map((worker) => [worker.id, worker]));
    for (const id of ['slow@v1/1', 'slow@v1/2']) {
      expect(by.get(id)).toMatchObject({ skipped: null, errors: [] });
      expect(by.get(id)?.passes).toBeGreaterThanOrEqual(1);
    }
    const { json } = await box.predict(null);
    expect(json).toMatchObject({ outputs: 1 });
    expect(by.get('job/1')?.skipped).toEqual(expect.any(String));
  });
});
