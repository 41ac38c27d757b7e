import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import picocolors from 'picocolors';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { frame, type TopView } from '../../../src/cli/top/frame.js';
import type { TopData } from '../../../src/cli/top/sections.js';
import type { Decision, ResourceReport } from '../../../src/master/supervisor.js';
import { resourceReport, sizing, unknownWorker, workerResources } from '../../support/reports.js';
import { appRow } from '../support.js';

const plain = picocolors.createColors(false);
const coloured = picocolors.createColors(true);

function decision(reason: string, more: Partial<Decision> = {}): Decision {
  return {
    time: '2026-01-01T12:34:56.000Z',
    policy: 'scale',
    subject: 'web',
    action: 'grow',
    reason,
    numbers: {},
    ...more,
  };
}

function data(more: Partial<TopData> = {}): TopData {
  return {
    resources: resourceReport(),
    apps: [appRow({ min: 1, max: 4, queued: 7 })],
    decisions: [decision('first'), decision('second')],
    ...more,
  };
}

function show(more: Partial<TopView> = {}, width = 200, height = Number.POSITIVE_INFINITY): string[] {
  return frame({ data: data(), sort: 'memory', trouble: null, live: true, ...more }, width, height, plain);
}

const lineOf = (lines: string[], start: string) => lines.find((line) => line.trimStart().startsWith(start)) ?? '';
const cells = (line: string) => line.trim().split(/ {2,}/);
/** One table of the frame, by the head of its first column: its rows by column. */
function table(lines: string[], first: string): Record<string, string>[] {
  const start = lines.findIndex((line) => cells(line)[0] === first && cells(line).length > 1);
  if (start < 0) return [];
  const heads = cells(lines[start] ?? '');
  const end = lines.indexOf('', start);
  return lines
    .slice(start + 1, end < 0 ? undefined : end)
    .map((line) => Object.fromEntries(cells(line).map((cell, index) => [heads[index] ?? '', cell])));
}

function status(more: Partial<ResourceReport['status']>): TopData {
  const report = resourceReport();
  return data({ resources: { ...report, status: { ...report.status, ...more } } });
}

describe('the head', () => {
  it('shows what the box has and uses', () => {
    const lines = show();
    expect(lines[0]).toMatch(/^supervisor {2}\d\d:\d\d:\d\d {2}workers by memory \(m, c\), q quits$/);
    expect(lineOf(lines, 'memory')).toMatch(
      /^memory {2}\[\|{23} {7}\] {2}75% {2}medium pressure {2}3GiB of 4GiB {2}by limits\.memory {2}2GiB available {2}\+1\.0MB\/min$/,
    );
    expect(lineOf(lines, 'cpu')).toMatch(/\] {2}71% {2}moderate {2}load 1\.50 1\.25 1\.00 {2}2 cores$/);
    expect(lineOf(lines, 'cores')).toBe('cores   [||||]  90%  [||  ]  52%');
    expect(lineOf(lines, 'box')).toBe(
      'box     stalled: memory 0.0% cpu 12% io 1.0%  disk 10GiB free of 40GiB  swap 1GiB of 2GiB  ' +
        'net in 2KiB/s out 1KiB/s  master 60MiB 0.8%',
    );
    expect(lines.some((line) => line.startsWith('gpu'))).toBe(false);
  });

  it('has a line for each GPU, and the quota where there is one', () => {
    const { cpu } = resourceReport().status;
    const lines = show({
      data: status({
        gpus: [{ name: 'A10G', total_bytes: 24 * 1024 ** 3, used_bytes: 6 * 1024 ** 3, share: 0.25 }],
        cpu: { ...cpu, quota_cores: 1.5, quota_share: 0.8 },
      }),
    });
    expect(lineOf(lines, 'gpu')).toMatch(/25% {2}6GiB of 24GiB {2}A10G$/);
    expect(lineOf(lines, 'cpu')).toMatch(/80% of a quota of 1\.5$/);
  });

  it('shows many cores by figures alone', () => {
    const cpu = { ...resourceReport().status.cpu, per_core: Array.from({ length: 16 }, () => 0.5) };
    expect(lineOf(show({ data: status({ cpu }) }, 110), 'cores')).toBe(`cores ${'   50%'.repeat(16)}`);
  });

  it('shows what is not known as such, never as zero', () => {
    const { memory, cpu } = resourceReport().status;
    const lines = show({
      data: status({
        memory: { ...memory, used_bytes: null, limit_bytes: null, used_share: null, limit_from: null },
        cpu: { ...cpu, level: null, share: null, per_core: null, load: null, cores: null },
        stall: null,
        swap: null,
        disk: null,
        network: null,
        master: { memory_bytes: null, cpu_percent: null, threads: null, open_files: null },
      }),
    });
    expect(lineOf(lines, 'memory')).toMatch(/\[– +\] {2}– {2}medium pressure {2}– of – {2}no known limit/);
    expect(lineOf(lines, 'cpu')).toMatch(/^cpu {5}\[– +\] {2}–$/);
    expect(lines.some((line) => /^(cores|box)/.test(line))).toBe(false);
    expect(lines.join('\n')).not.toMatch(/NaN|null|undefined/);
  });

  it('says why its figures are old', () => {
    expect(show({ trouble: 'no master is running; trying again' })[0]).toMatch(/^no master is running; trying again/);
  });

  it('says nothing of keys where there is no keyboard', () => {
    expect(show({ live: false }).join('\n')).not.toContain('quits');
  });

  it('colours pressure', () => {
    const critical = { ...resourceReport().status.memory, pressure: 'critical' as const };
    const view = { data: status({ memory: critical }), sort: 'memory' as const, trouble: null, live: true };
    expect(frame(view, 200, 50, coloured).join('\n')).toContain('\u001b[31mcritical pressure');
  });
});

describe('the tables', () => {
  it('show apps with what their size follows', () => {
    expect(table(show(), 'app')).toEqual([
      {
        app: 'web',
        state: 'online',
        workers: '2/2',
        range: '1..4',
        target: '3',
        'held by': 'memory',
        queue: '7',
        cpu: '12%',
        memory: '50MiB',
        restarts: '3',
        recycles: '4',
      },
    ]);
    const pinned = { ...sizing({ pinned: 2 }), name: 'web', version: null, memory_bytes: null, cpu_percent: null };
    const lines = show({ data: data({ resources: resourceReport({ apps: [pinned] }) }) });
    expect(table(lines, 'app')[0]?.['held by']).toBe('pinned');
  });

  it('keep versions of one model apart', () => {
    const version = (name: string, target: number) => ({
      ...sizing({ target }),
      name: 'intents',
      version: name,
      memory_bytes: null,
      cpu_percent: null,
    });
    const lines = show({
      data: data({
        apps: [appRow({ name: 'intents', version: 'v1' }), appRow({ name: 'intents', version: 'v2' })],
        resources: resourceReport({ apps: [version('v2', 4), version('v1', 1)] }),
      }),
    });
    expect(table(lines, 'app').map((row) => [row.app, row.target])).toEqual([
      ['intents@v1', '1'],
      ['intents@v2', '4'],
    ]);
  });

  it('sort workers by memory or CPU, the unknown last', () => {
    const workers = [
      unknownWorker('web/9'),
      workerResources('web/10', { memory_bytes: 1, cpu_percent: 90 }),
      workerResources('web/2', { memory_bytes: 3, cpu_percent: 10 }),
      workerResources('web/11', { memory_bytes: 1, cpu_percent: 90 }),
      workerResources('web/3', { memory_bytes: 2, cpu_percent: null }),
    ];
    const view = { data: data({ resources: resourceReport({ workers }) }) };
    const order = (sort: 'memory' | 'cpu') => table(show({ ...view, sort }), 'worker').map((row) => row.worker);
    expect(order('memory')).toEqual(['web/2', 'web/3', 'web/10', 'web/11', 'web/9']);
    expect(order('cpu')).toEqual(['web/10', 'web/11', 'web/2', 'web/3', 'web/9']);
  });

  it('show of a worker what is known', () => {
    const resources = resourceReport({ workers: [workerResources('web/1'), unknownWorker('web/2')] });
    const [known, unknown] = table(show({ data: data({ resources }) }, 250), 'worker');
    expect(known).toMatchObject({ state: 'ready', loop: '42%', lag: '3.2ms', heap: '20MiB of 2GiB', files: '25' });
    expect(new Set(Object.values({ ...unknown, worker: '–', state: '–', 'in flight': '–' }))).toEqual(new Set(['–']));
  });

  it('show the latest decisions, newest last', () => {
    const decisions = ['a', 'b', 'c', 'd', 'e', 'f'].map((reason) => decision(reason));
    const rows = table(show({ data: data({ decisions }) }, 120, 24), 'time');
    expect(rows.map((row) => row.reason)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    const few = table(show({ data: data({ decisions }) }, 120, 19), 'time').map((row) => row.reason);
    expect(few).toEqual(['b', 'c', 'd', 'e', 'f'].slice(-few.length));
    expect(few.length).toBeGreaterThan(0);
  });

  it('say so when there is nothing', () => {
    const empty = { resources: resourceReport({ workers: [], apps: [] }), apps: [], decisions: [] };
    expect(show({ data: empty }).slice(-6)).toEqual(['', 'no apps', '', 'no workers', '', 'no decisions yet']);
  });

  it('count what has no room, and leave each other table its part', () => {
    const apps = Array.from({ length: 50 }, (_, n) => appRow({ name: `app${n}` }));
    const workers = Array.from({ length: 50 }, (_, n) => workerResources(`app${n}/1`));
    const many = data({
      apps,
      resources: resourceReport({ workers }),
      decisions: Array.from({ length: 20 }, (_, n) => decision(`r${n}`)),
    });
    const lines = show({ data: many }, 120, 30);
    expect(lines).toHaveLength(30);
    const more = lines.filter((line) => line.startsWith('…'));
    expect(more).toHaveLength(2);
    const shown = table(lines, 'app').filter((row) => row.app?.startsWith('app')).length;
    expect(more[0]).toBe(`… ${50 - shown} more`);
    expect(table(lines, 'time').at(-1)?.reason).toBe('r19');
  });

  it('are left out whole, the last ones first, where the terminal is low', () => {
    const heads = (height: number) =>
      show({}, 100, height)
        .map((line) => cells(line)[0] ?? '')
        .filter((cell) => ['app', 'worker', 'time'].includes(cell));
    expect([5, 6, 7, 8, 10, 11, 13, 14].map((height) => heads(height))).toEqual([
      [],
      [],
      [],
      ['app'],
      ['app'],
      ['app', 'worker'],
      ['app', 'worker'],
      ['app', 'worker', 'time'],
    ]);
    for (let height = 1; height < 20; height++)
      expect(show({}, 100, height).at(-1)).not.toMatch(/^(app|worker|time) |^$/);
  });

  it('leave out columns where the terminal is narrow, the least needed first, and cut only at the last', () => {
    const heads = (width: number) => cells(lineOf(show({}, width), 'app '));
    expect(heads(50)).toEqual(['app', 'state', 'workers', 'queue', 'cpu', 'memory']);
    expect(heads(24)).toEqual(['app', 'state', 'workers']);
    const name = 'a-rather-long-name-of-an-app';
    const [row] = table(show({ data: data({ apps: [appRow({ name })] }) }, 10), 'app');
    expect(row).toBeUndefined();
    expect(show({ data: data({ apps: [appRow({ name })] }) }, 10)).toContain('a-rather-…');
  });

  it('cut a long reason to the width', () => {
    const lines = show({ data: data({ decisions: [decision('because '.repeat(50))] }) }, 80);
    expect(lines.at(-1)).toMatch(/because b.*…$/);
    expect(stringWidth(lines.at(-1) ?? '')).toBe(80);
  });
});

describe('whatever the size and the content', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.constantFrom('\u001b[2J', 'a\tb', '\u202eevil', '漢字かな漢字', '👩‍👩‍👧', 'x\ny', '\u009b31m'),
  );
  const view = fc.record({
    name: nasty,
    reason: nasty,
    count: fc.nat({ max: 60 }),
    colours: fc.boolean(),
    live: fc.boolean(),
    trouble: fc.option(nasty),
    width: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 31, max: 300 })),
    height: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 120 })),
  });

  it('no line is wider than the terminal, none is more than it has, and nothing acts on it', () => {
    fc.assert(
      fc.property(view, ({ name, reason, count, colours, live, trouble, width, height }) => {
        const workers = Array.from({ length: count }, (_, n) =>
          n % 3 ? workerResources(`${name}/${n}`) : unknownWorker(`${name}/${n}`),
        );
        const apps = Array.from({ length: count }, () => appRow({ name, reason }));
        const decisions = Array.from({ length: count }, () => decision(reason, { subject: name }));
        const lines = frame(
          { data: { resources: resourceReport({ workers }), apps, decisions }, sort: 'cpu', trouble, live },
          width,
          height,
          colours ? coloured : plain,
        );
        expect(lines.length).toBeLessThanOrEqual(height);
        for (const line of lines) {
          expect(stringWidth(line)).toBeLessThanOrEqual(width);
          const bare = colours ? stripVTControlCharacters(line) : line;
          expect(bare).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]|NaN|undefined/);
        }
      }),
      { numRuns: 300 },
    );
  });
});
