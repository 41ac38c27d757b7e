import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { appsTable } from '../../../src/cli/render/apps.js';
import { appDetails } from '../../../src/cli/render/details.js';
import { nextCell, packagesTable } from '../../../src/cli/render/packages.js';
import { packageRow } from '../../../src/control/package-unloading-report.js';
import type { PackageStatus } from '../../../src/master/supervisor.js';
import { packageStatus, unloadTotals } from '../../http/fake-supervisor.js';
import { appDetail, appRow } from '../support.js';

const plain = picocolors.createColors(false);
const GIB = 1024 ** 3;

const next = (unload_rank: number | null, unload_why_not: string | null, unload_in_seconds: number | null) => ({
  unload_rank,
  unload_why_not,
  unload_in_seconds,
});

describe('who goes next', () => {
  it.each([
    [next(1, null, 0), { text: '#1', colour: 'yellow' }],
    [next(12, null, null), { text: '#12', colour: 'yellow' }],
    [next(2, 'its time is not over', 250), '#2 in 4m 10s'],
    [next(2, 'it saves too little', 0), '#2 it saves too little'],
    [next(2, 'unloading is switched off', null), '#2 unloading is switched off'],
    [next(null, 'needed by x', null), 'needed by x'],
    [next(null, null, null), '–'],
  ])('%j is %j', (columns, cell) => {
    expect(nextCell(columns)).toEqual(cell);
  });

  it('is a column of the list where a model may go', () => {
    const intents = (min: number, columns: object) =>
      appRow({ name: 'intents', kind: 'model', version: 'v1', min, ...columns });
    const heads = (...rows: Parameters<typeof appsTable>[0]) => appsTable(rows, plain).split('\n')[0];
    expect(heads(intents(0, next(null, 'busy', null)))).toMatch(/state +next +cpu/);
    expect(heads(intents(1, next(null, 'busy', null)))).not.toContain('next');
    expect(heads(intents(0, {}))).not.toContain('next');
    const text = appsTable([appRow(), intents(0, next(2, null, null)), intents(1, next(null, 'pinned', null))], plain);
    expect(
      text
        .split('\n')
        .slice(1)
        .map((line) => /(online|idle) +(\S+)/.exec(line)?.[2]),
    ).toEqual(['–', '#2', '–']);
  });
});

describe('what is shown of unloading', () => {
  const UNUSED = packageStatus('torch', { loaded: false });
  const USED = packageStatus('intents@v1', {
    strategy: 'aggressive',
    ownStrategy: 'aggressive',
    preference: 'evict',
    requires: ['torch', 'tokens@v2'],
    neededBy: ['writer@v1'],
    idleSeconds: 61,
    memoryBytes: GIB,
    whyNot: 'needed by writer@v1',
    goesInSeconds: 250,
    totals: unloadTotals({
      total: 4,
      succeeded: 3,
      failed: 1,
      freedBytes: 2 * GIB,
      seconds: 3,
      lastAt: Date.UTC(2026, 0, 1),
      lastLabel: 'Usage pattern unloading (balanced)',
      regretted: 2,
    }),
  });
  const facts = (status: PackageStatus) =>
    appDetails(appDetail({ name: status.model, version: status.version, unloading: packageRow(status) }), plain);

  it('in a table', () => {
    const [, unused, used] = packagesTable([packageRow(UNUSED), packageRow(USED)], plain).split('\n');
    expect(unused).toMatch(/^torch +v1 +no +balanced \(of the box\) +none +– +– +0 +– +–$/);
    expect(used).toMatch(/^intents +v1 +yes +aggressive +evict +1m 1s +needed by writer@v1 +4 +2GiB +1GiB$/);
  });

  it('by describe: all that is known', () => {
    const text = facts(USED);
    expect(text).toMatch(/strategy +aggressive\n/);
    expect(text).toMatch(/preference +evict\n/);
    expect(text).toMatch(/requires +torch, tokens@v2\n/);
    expect(text).toMatch(/needed by +writer@v1\n/);
    expect(text).toMatch(
      /unloads +4, 1 failed; freed 2GiB, 512MiB each; 2 loaded again soon; the last at 2026-01-01T00:00:00\.000Z: Usage pattern unloading \(balanced\)\n/,
    );
    expect(text).toMatch(/goes +needed by writer@v1\n/);
    const goes = (more: Partial<PackageStatus>) => /goes +(.*)\n/.exec(facts({ ...USED, ...more }))?.[1];
    expect(goes({ rank: 2, whyNot: null, goesInSeconds: 0 })).toBe('number 2 in the order of going; due now');
    expect(goes({ rank: 2, whyNot: 'its time is not over' })).toBe(
      'number 2 in the order of going; its time is not over; idle for long enough in 4m 10s',
    );
  });

  it('by describe: nothing that is not', () => {
    const text = facts(UNUSED);
    expect(text).toMatch(/strategy +balanced \(of the box\)\n/);
    expect(text).toMatch(/preference +none\n/);
    expect(text).toMatch(/unloads +none\n/);
    expect(text).not.toMatch(/requires|needed by|goes/);
    expect(appDetails(appDetail(), plain)).not.toMatch(/strategy|preference/);
  });
});
