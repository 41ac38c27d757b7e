import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryReport, ResourceReport, WorkerResources } from '../../src/master/supervisor.js';
import { Box, until } from '../support/box.js';
import { Models } from '../support/models.js';

const MIB = 1024 ** 2;

describe('what the box and its workers use', () => {
  let box: Box;
  let models: Models;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  alone: { module: $FIXTURES/models/caches.mjs, recycle: { max_memory: 500MiB } }
  threads: { module: $FIXTURES/models/caches.mjs, isolation: thread, workers: 2 }
  web: { script: $FIXTURES/http/bare.mjs, port: $WEB, workers: { min: 1, max: 2 } }
  job: { command: [sleep, '600'] }
`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  const report = async () => (await box.api('GET', '/api/resources')).json as ResourceReport;

  /** Once every worker has been sampled and has told about itself. */
  async function settled(): Promise<ResourceReport> {
    return until(async () => {
      const found = await report();
      const told = found.workers.filter((w) => w.heap_used_bytes !== null).length;
      // The maps of a process are walked every 10 s only, and not of all in one tick.
      const measured = found.workers.every((w) => w.cpu_percent !== null && w.pss_bytes !== null);
      return told === 4 && measured ? found : null;
    }, 'every worker to be known');
  }

  it('covers memory, CPU, disk and network of the machine', async () => {
    const { status } = await settled();
    const { memory, cpu } = status;
    expect(memory.limit_bytes).toBeGreaterThan(memory.used_bytes as number);
    expect(memory.used_share).toBeCloseTo((memory.used_bytes as number) / (memory.limit_bytes as number), 3);
    expect(memory.total_bytes).toBeGreaterThanOrEqual(memory.available_bytes as number);
    expect(memory.thresholds).toEqual({
      medium: 0.5,
      high: 0.7,
      critical: 0.85,
      cleanup: 0.8,
      recycle: 0.9,
      emergency: 0.95,
    });
    expect(cpu.per_core).toHaveLength(cpu.cores as number);
    expect(cpu.share).toBeGreaterThanOrEqual(0);
    expect(cpu.share).toBeLessThanOrEqual(1);
    expect(cpu.load).toHaveLength(3);
    expect(status.disk?.free_bytes).toBeGreaterThan(0);
    expect(status.network?.received_bytes).toBeGreaterThanOrEqual(0);
    expect(status.master.memory_bytes).toBeGreaterThan(20 * MIB);
  });

  it('covers each worker, in a process, in a thread and of the web, with what it tells itself', async () => {
    const { workers } = await settled();
    const byId = new Map(workers.map((w) => [w.id, w]));
    expect([...byId.keys()].sort()).toEqual(['alone@v1/1', 'job/1', 'threads@v1/1', 'threads@v1/2', 'web/1']);
    for (const id of ['alone@v1/1', 'threads@v1/1', 'web/1']) {
      const worker = byId.get(id) as WorkerResources;
      expect(worker.rss_bytes).toBeGreaterThan(worker.pss_bytes as number);
      expect(worker.pss_bytes).toBeGreaterThanOrEqual(worker.uss_bytes as number);
      expect(worker.vms_bytes).toBeGreaterThan(worker.rss_bytes as number);
      expect(worker.heap_limit_bytes).toBeGreaterThan(worker.heap_used_bytes as number);
      expect(worker.event_loop_utilisation).toBeGreaterThanOrEqual(0);
      expect(worker.event_loop_utilisation).toBeLessThan(0.5);
      expect(worker.open_files).toBeGreaterThan(3);
      expect(worker.threads).toBeGreaterThan(3);
    }
    expect(byId.get('alone@v1/1')?.limit_bytes).toBeGreaterThan(400 * MIB);
    expect(byId.get('job/1')).toMatchObject({ heap_used_bytes: null, event_loop_utilisation: null, gc_count: null });
    expect(byId.get('job/1')?.rss_bytes).toBeGreaterThan(0);
  });

  it('tells threads of one host apart', async () => {
    await settled();
    const reply = await models.ask('threads', 'keep 100');
    const { worker } = reply.json as { worker: string };
    const rows = await until(async () => {
      const found = (await box.row('threads')).workers;
      const [mine, other] = [found.find((w) => w.id === worker), found.find((w) => w.id !== worker)];
      return mine && other && (mine.memory_bytes ?? 0) - (other.memory_bytes ?? 0) > 80 * MIB ? { mine, other } : null;
    }, 'the thread to carry what it keeps');
    expect(rows.mine.pid).toBe(rows.other.pid);
    const { workers } = await report();
    const external = (id: string) => workers.find((w) => w.id === id)?.external_bytes ?? 0;
    expect(external(rows.mine.id) - external(rows.other.id)).toBeGreaterThan(80 * MIB);
  });

  it('shows the size of each app and what holds it', async () => {
    const { apps } = await settled();
    expect(apps.find((app) => app.name === 'web')).toMatchObject({ desired: 1, min: 1, max: 2, pinned: null });
    expect(apps.find((app) => app.name === 'alone')).toMatchObject({ desired: 1, held_by: null, target: null });
  });

  it('comes with trends once there is something to compare', async () => {
    const { trends } = await until(async () => {
      const found = await report();
      return found.trends.memory_bytes && found.trends.cpu_share ? found : null;
    }, 'trends');
    expect(trends.memory_bytes?.max).toBeGreaterThanOrEqual(trends.memory_bytes?.min as number);
    expect(trends.memory_bytes?.samples).toBeGreaterThanOrEqual(2);
  });

  it('is summed up for memory', async () => {
    await settled();
    const memory = (await box.api('GET', '/api/memory/')).json as MemoryReport;
    expect(memory.apps.map((app) => app.name)).toEqual(['alone', 'threads', 'web', 'job']);
    expect(memory.workers).toHaveLength(5);
    expect(memory.master_bytes).toBeGreaterThan(10 * MIB);
    const parts = memory.workers.reduce((sum, w) => sum + (w.memory_bytes ?? 0), 0);
    // What is shared counts once, and threads are parts of one process.
    expect(memory.used_bytes).toBeLessThan(parts + 200 * MIB);
    expect(memory.steps).toEqual([]);
  });
});

it('one file speaks for the box, whatever else is started', async () => {
  const box = await Box.open("limits: { memory: 1GiB }\napps:\n  job: { command: [sleep, '600'] }\n");
  await box.ok('start', 'supervisor.yaml');
  const limit = async () => {
    const report = await until(async () => {
      const found = (await box.api('GET', '/api/memory/')).json as MemoryReport;
      return found.limit_bytes === null ? null : found;
    }, 'a sample');
    return report.limit_bytes;
  };
  expect(await limit()).toBe(1024 * MIB);
  await box.ok('start', '--name', 'adhoc', '--', 'sleep', '600');
  const other = path.join(box.dir, 'other.yaml');
  box.write("project: other\nlimits: { memory: 2GiB }\napps:\n  second: { command: [sleep, '600'] }\n", other);
  const { code, stderr } = await box.cli('start', other);
  expect(code).toBe(0);
  expect(stderr).toMatch(/other\.yaml.*no effect while .*supervisor\.yaml/s);
  expect(await limit()).toBe(1024 * MIB);
  await box.ok('delete', 'job');
  await until(async () => (await limit()) === 2 * 1024 * MIB, 'the other file to rule');
});
