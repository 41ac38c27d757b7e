import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, until } from '../support/box.js';

const APPS = `plugins: [./watcher.mjs]
apps:
  job: { command: [sleep, '600'] }
  broken: { command: [node, -e, 'process.exit(3)'], restart: { max_restarts: 0 }, ready: { probe: 'log:never' } }
`;

/** A plug-in that writes down what it is told, and throws in one of its hooks. */
const WATCHER = `import { appendFileSync } from 'node:fs';
const note = (what) => appendFileSync(new URL('./told.jsonl', import.meta.url), JSON.stringify(what) + '\\n');
export default {
  before: (span) => note({ before: span.name }),
  after: (span) => note({ after: span.name, error: span.error, durationMs: span.durationMs }),
  onDecision: (decision) => { note({ decision: decision.policy }); throw new Error('plug-in bug'); },
};
`;

describe('a plug-in', () => {
  it('is told of acts and decisions, and its errors change nothing', async () => {
    const box = await Box.open(APPS);
    writeFileSync(path.join(box.dir, 'watcher.mjs'), WATCHER);
    const told = () => {
      const file = path.join(box.dir, 'told.jsonl');
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    };
    // The first act brings the plug-in, and fails.
    expect((await box.cli('start', 'supervisor.yaml')).code).toBe(1);
    await box.ok('scale', 'job', '2');
    await until(() => told().some((line) => line.after === 'scale job 2'), 'the act to be told');
    expect(told()).toContainEqual({ before: 'scale job 2' });
    expect(told()).toContainEqual({ after: 'scale job 2', error: null, durationMs: expect.any(Number) });
    expect((await box.cli('restart', 'broken')).code).toBe(1);
    await until(() => told().some((line) => line.after === 'restart broken'), 'the failed act to be told');
    expect(told().find((line) => line.after === 'restart broken')?.error).toMatch(/broken/);
    expect(told().some((line) => line.decision === 'restart')).toBe(true);
    const log = readFileSync(path.join(box.home, 'master.log'), 'utf8');
    expect(log.match(/plug-in bug/g)).toHaveLength(1);
    expect(await box.row('job')).toMatchObject({ ready: 2 });
  });

  it('that cannot be loaded is a warning that names it, and everything starts', async () => {
    const box = await Box.open("plugins: [./watcher.mjs]\napps:\n  job: { command: [sleep, '600'] }\n");
    writeFileSync(path.join(box.dir, 'watcher.mjs'), 'throw new Error("no license");\n');
    const { code, stderr } = await box.cli('start', 'supervisor.yaml');
    expect(code).toBe(0);
    expect(stderr).toMatch(/watcher\.mjs.*no license/s);
  });

  it('that is not there is an error of the configuration', async () => {
    const box = await Box.open("plugins: [./missing.mjs]\napps:\n  job: { command: [sleep, '600'] }\n");
    const { code, stderr } = await box.cli('start', 'supervisor.yaml');
    expect(code).toBe(2);
    expect(stderr).toMatch(/plugins\[?\.?0.*missing\.mjs/s);
  });
});
