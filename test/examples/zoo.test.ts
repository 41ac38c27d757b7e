import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { HOME_PREFIX } from '../support/no-orphans.js';

const run = promisify(execFile);
const DEMO = path.resolve(import.meta.dirname, '../../examples/zoo/demo.mjs');

it('the demo runs to its end, and shows what it says', async () => {
  // Where whoever looks for what tests leave behind finds it.
  const tmp = mkdtempSync(`${HOME_PREFIX}demo-`);
  const env = { ...process.env, TMPDIR: tmp, FORCE_COLOR: '0' };
  const { stdout, stderr } = await run(process.execPath, [DEMO], { env, timeout: 90_000 });
  expect(readdirSync(tmp)).toEqual([]);
  rmdirSync(tmp);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/50 requests without a version: v1: 40, v2: 10\n/);
  expect(stdout).toMatch(/v2, asked by name, takes "où est mon train" for: fr\n/);
  expect(stdout).toMatch(/100 answers after \d+ ms; loads: 1;/);
  expect(stdout).toMatch(/240 requests from 4 clients: birds@v1\/1: \d+, birds@v1\/2: \d+, birds@v1\/3: \d+;/);
  expect(stdout).toMatch(/others: 200 answered, 0 failed\n/);
  expect(stdout).toMatch(/tried twice, then 502 SUP_WORKER_DIED\n.*sent again: 422 SUP_QUARANTINED/);
  expect(stdout).toMatch(/unloaded after [\d.]+ s; 1[5-9]\d MiB given back/);
  expect(stdout).toMatch(/atlas@v1 +load +a request came while it was not loaded/);
  expect(stdout).toMatch(/atlas@v1 +unload/);
  expect(stdout).toMatch(/no process and no file is left/);
}, 100_000);
