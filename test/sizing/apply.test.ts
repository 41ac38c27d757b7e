import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { applySize, withSize } from '../../src/sizing/apply.js';

const CORES = 4;
const HEAD = `# The shop.
version: 1      # of the format

control:   { port: 9700,auth: token }
apps:

  # Asked by the shop.
`;
const TAIL = `
  web:          # the front
      script: "web.mjs"
      workers:   2
      port: 8080
# The end.
`;
/** A file with this app in the middle. */
const file = (app: string) => `${HEAD}${app}${TAIL}`;

describe('withSize changes the size and nothing else', () => {
  it.each([
    [
      'a number',
      '  a:\n    workers: 1   # few\n    module: a.mjs\n',
      3,
      '    workers: 3   # few\n',
      ['workers: 1 → 3'],
    ],
    ['max', '  a:\n    workers: max\n', 3, '    workers: 3\n', ['workers: max → 3']],
    ['a quoted key', '  "a":\n    "workers": 1\n', 3, '    "workers": 3\n', ['workers: 1 → 3']],
    ['in flow style', '  a: {module: a.mjs,workers: 1 }\n', 12, 'mjs,workers: 12 }\n', ['workers: 1 → 12']],
    [
      'a range',
      '  a:\n    workers: { min: 1,  max: 2 }  # r\n',
      3,
      '{ min: 1,  max: 3 }  # r\n',
      ['workers.max: 2 → 3'],
    ],
    [
      'a range whose min is above',
      '  a:\n    workers:\n      min: 4   # a\n      max: 8   # b\n',
      3,
      '      min: 3   # a\n      max: 3   # b\n',
      ['workers.min: 4 → 3', 'workers.max: 8 → 3'],
    ],
    ['a range without max', '  a: { workers: { min: 1 } }\n', 3, '{ workers: { max: 3, min: 1 } }', ['workers.max: 3']],
    [
      'a range to max',
      '  a: { workers: { min: max, max: max } }\n',
      3,
      '{ min: 3, max: 3 }',
      ['workers.min: max → 3', 'workers.max: max → 3'],
    ],
    [
      'a min of all cores, which are fewer',
      '  a: { workers: { min: max, max: 9 } }\n',
      8,
      '{ min: max, max: 8 }',
      ['workers.max: 9 → 8'],
    ],
    ['an empty range', '  a: { workers: {} }\n', 3, '{ workers: { max: 3 } }', ['workers.max: 3']],
    [
      'no size',
      '  a:\n    # its code\n    module: a.mjs\n',
      3,
      '    # its code\n    workers: 3\n    module: a.mjs\n',
      ['workers: 3'],
    ],
    ['no size in flow style', '  a: { module: a.mjs }\n', 3, '  a: { workers: 3, module: a.mjs }\n', ['workers: 3']],
  ])('%s', (_what, app, workers, piece, changes) => {
    const sized = withSize(file(app), 'a', workers, CORES);
    expect(sized.changes).toEqual(changes);
    expect(sized.text).toContain(piece);
    expect(sized.text.startsWith(HEAD)).toBe(true);
    expect(sized.text.endsWith(TAIL)).toBe(true);
    const given = parse(sized.text).apps.a.workers;
    expect(typeof given === 'number' ? given : given.max).toBe(workers);
  });

  it('finds names that look like numbers, and keeps the ends of lines', () => {
    const text = 'apps:\r\n  2:\r\n    module: a.mjs\r\n';
    expect(withSize(text, '2', 3, CORES).text).toBe('apps:\r\n  2:\r\n    workers: 3\r\n    module: a.mjs\r\n');
  });

  it('says nothing where nothing changes', () => {
    for (const app of ['  a: { workers: 3 }\n', '  a: { workers: { min: 1, max: 3 } }\n'])
      expect(withSize(file(app), 'a', 3, CORES)).toEqual({ text: file(app), changes: [] });
  });

  it.each([
    ['  a: *other\n', /not written out/],
    ['  b: { workers: 1 }\n', /not written out/],
    ['  a: { workers: &size 1 }\n  b: { workers: *size }\n', /`workers` is an alias, or others refer to it/],
    ['  b: { workers: &size 1 }\n  a: { workers: *size }\n', /`workers` is an alias, or others refer to it/],
    ['  a: { workers: &size { max: 1 } }\n  b: { workers: *size }\n', /others refer to its `workers`/],
    ['  b: { workers: { max: &m 1 } }\n  a: { workers: { max: *m } }\n', /`workers.max` is an alias/],
    ['  a: { workers: 1\n', /not written out/],
  ])('leaves %j to its owner', (app, reason) => expect(() => withSize(file(app), 'a', 3, CORES)).toThrow(reason));

  it('property: of any range, max is the size and min is at most that', () => {
    const end = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant('max'));
    const range = fc.record({ min: end, max: end }, { requiredKeys: [] });
    fc.assert(
      fc.property(range, fc.integer({ min: 1, max: 20 }), fc.boolean(), (given, workers, flow) => {
        const keys = Object.entries(given).map(([key, value]) => `${key}: ${value}`);
        const block = keys.length > 0 && !flow;
        const written = block ? `\n${keys.map((key) => `      ${key}\n`).join('')}` : ` { ${keys.join(', ')} }\n`;
        const { text } = withSize(file(`  a:\n    workers:${written}    module: m\n`), 'a', workers, CORES);
        const { a, web } = parse(text).apps;
        expect(a.module).toBe('m');
        expect(web.workers).toBe(2);
        expect(a.workers.max).toBe(workers);
        const min = a.workers.min === 'max' ? CORES : (a.workers.min ?? 1);
        expect(min).toBeLessThanOrEqual(workers);
        // One that was not above stays.
        if (given.min !== undefined && (given.min === 'max' ? CORES : given.min) <= workers)
          expect(a.workers.min).toBe(given.min);
      }),
    );
  });
});

it('applySize replaces the file and keeps its mode', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'apply-'));
  try {
    const path = join(dir, 'supervisor.yaml');
    writeFileSync(path, file('  a: { workers: 1 }   # few\n'));
    chmodSync(path, 0o640);
    expect(await applySize(path, 'a', 2, CORES)).toEqual(['workers: 1 → 2']);
    expect(readFileSync(path, 'utf8')).toBe(file('  a: { workers: 2 }   # few\n'));
    expect(statSync(path).mode & 0o777).toBe(0o640);
    const { ino } = statSync(path);
    expect(await applySize(path, 'a', 2, CORES)).toEqual([]);
    expect(statSync(path).ino).toBe(ino);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
