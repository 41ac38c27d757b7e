import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('the program with models in it predicts, streams, scales and unloads, and ends', async () => {
  const program = path.join(ROOT, 'examples/embed/main.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 50_000 });
  expect(stdout).toContain("one: { label: 'parcel_not_received'");
  expect(stdout).toContain("cancel my order: { label: 'cancel_order'");
  expect(stdout).toMatch(/^writer: A( \S+){7} $/m);
  for (const line of [
    'intents@v1: online, 2 ready',
    'intents@v2: idle, 0 ready',
    'writer@v1: idle, 0 ready',
    'healthy: true',
  ])
    expect(stdout).toContain(`${line}\n`);
});
