import { describe, expect, it } from 'vitest';
import { type AppChange, diffApp } from '../../src/config/diff.js';
import { load } from './support.js';

const FILES = { 'n.mjs': '', 'sub/x': '' };

/** The change between two sets of keys of one app in one folder: other folders have other paths. */
function change(before: string, after: string): AppChange {
  const { config } = load(
    `apps:\n  before: { ${before} }\n  after: { ${after} }\n  other: { command: [x] }\n  model: { module: m.mjs }\n`,
    {},
    FILES,
  );
  const [first, second] = config.apps;
  return diffApp({ ...first!, name: 'app' }, { ...withPort(second!), name: 'app' });
}

// Two apps of one file cannot have one port, so the second is written one higher.
function withPort<T extends object>(app: T): T {
  return 'port' in app && typeof app.port === 'number' ? { ...app, port: app.port - 1 } : app;
}

const MODEL = 'module: m.mjs';
const WEB = (port = 8080) => `script: s.mjs, port: ${port}`;

describe('diffApp', () => {
  it.each<[before: string, after: string, change: AppChange]>([
    [MODEL, MODEL, 'same'],
    [`${MODEL}, env: { A: 1, B: 2 }`, `${MODEL}, env: { B: 2, A: 1 }`, 'same'],
    [`${MODEL}, stop: { grace: 60s }`, `${MODEL}, stop: { grace: 1m }`, 'same'],
    [MODEL, `${MODEL}, workers: 2`, 'in-place'],
    [MODEL, `${MODEL}, queue: { max: 3 }`, 'in-place'],
    [MODEL, `${MODEL}, concurrency: 3`, 'in-place'],
    [MODEL, `${MODEL}, timeout: 3s`, 'in-place'],
    [MODEL, `${MODEL}, batching: { max_size: 3 }`, 'in-place'],
    [MODEL, `${MODEL}, idempotent: false`, 'in-place'],
    [MODEL, `${MODEL}, recycle: { max_requests: 3 }`, 'in-place'],
    [MODEL, `${MODEL}, restart: { max_restarts: 3 }`, 'in-place'],
    [MODEL, `${MODEL}, ready: { timeout: 3s }`, 'in-place'],
    [MODEL, `${MODEL}, health: { wedge: 5s }`, 'in-place'],
    [MODEL, `${MODEL}, log: { level: error }`, 'in-place'],
    [MODEL, `${MODEL}, leak: { recycle: true }`, 'in-place'],
    [MODEL, `${MODEL}, scale: { headroom: 2 }`, 'in-place'],
    [MODEL, `${MODEL}, limits: { memory: 1GiB }`, 'in-place'],
    [MODEL, `${MODEL}, limits: { heap: 1GiB }`, 'generation'],
    [MODEL, `${MODEL}, limits: { heap: 1GiB, memory: 1GiB }, leak: { recycle: true }`, 'generation'],
    [`${MODEL}, limits: { heap: 1GiB }`, `${MODEL}, limits: { heap: 1024MiB }`, 'same'],
    [MODEL, `${MODEL}, namespace: nlp`, 'in-place'],
    [MODEL, `${MODEL}, depends_on: [other]`, 'in-place'],
    [MODEL, 'module: n.mjs', 'versions'],
    [MODEL, `${MODEL}, options: { a: 1 }`, 'versions'],
    [MODEL, `${MODEL}, env: { A: 1 }`, 'generation'],
    [MODEL, `${MODEL}, cwd: sub`, 'generation'],
    [MODEL, `${MODEL}, args: [a]`, 'generation'],
    [MODEL, `${MODEL}, node_args: [--a]`, 'generation'],
    [MODEL, 'versions: { v2: { module: m.mjs } }', 'versions'],
    [MODEL, 'versions: { v1: { module: m.mjs, weight: 5 } }', 'versions'],
    [MODEL, 'versions: { v1: { module: m.mjs }, v2: { module: m.mjs } }', 'versions'],
    [MODEL, `${MODEL}, routing: { strategy: round_robin }`, 'in-place'],
    [MODEL, `${MODEL}, unload: { requires: [model] }`, 'in-place'],
    [MODEL, `${MODEL}, unload: { strategy: aggressive, preference: keep }`, 'versions'],
    [MODEL, `${MODEL}, env: { A: 1 }, options: { a: 1 }`, 'generation'],
    [
      'versions: { a: { module: m.mjs }, b: { module: n.mjs } }',
      'versions: { b: { module: n.mjs }, a: { module: m.mjs } }',
      'versions',
    ],
    [MODEL, `${MODEL}, isolation: thread`, 'new-pool'],
    [`${MODEL}, isolation: thread`, `${MODEL}, isolation: thread, thread_host: a`, 'generation'],
    [MODEL, `${MODEL}, isolation: thread, env: { A: 1 }, workers: 3`, 'new-pool'],
    [MODEL, `${MODEL}, env: { A: 1 }, workers: 3`, 'generation'],
    [WEB(), WEB(8081), 'same'],
    [WEB(), WEB(8082), 'new-pool'],
    [WEB(), `${WEB(8081)}, scale: { target: 3 }`, 'in-place'],
    [WEB(), `${WEB(8081)}, limits: { heap: 64MiB }`, 'generation'],
    [WEB(), `${WEB(8081)}, host: "::1"`, 'new-pool'],
    [WEB(), 'handler: s.mjs, port: 8081', 'generation'],
    [WEB(), 'command: [x]', 'new-pool'],
    ['command: [x]', 'command: [x, y]', 'generation'],
    ['command: [x]', 'command: [x], overlap: true', 'in-place'],
    ['command: [x]', 'command: [x], limits: { memory: 1GiB }, leak: { window: 5m }', 'in-place'],
    ['command: [x]', MODEL, 'new-pool'],
  ])('%s → %s: %s', (before, after, expected) => {
    expect(change(before, after)).toBe(expected);
  });
});
