import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { appDetails } from '../../../src/cli/render/details.js';
import { learnedInWords, resourcesTable, sizeInWords } from '../../../src/cli/render/sizing.js';
import { growth, milliseconds, share } from '../../../src/cli/render/values.js';
import { sizing, unknownWorker, workerResources } from '../../support/reports.js';
import { appDetail } from '../support.js';

const plain = picocolors.createColors(false);
const cells = (line: string | undefined) => line?.trim().split(/ {2,}/);

describe('the size of an app in words', () => {
  it.each([
    [{}, '2 workers (min 1, max 4); demand asks for 3, held by memory'],
    [{ desired: 1, target: 1, held_by: null }, '1 worker (min 1, max 4); demand asks for 1'],
    [
      { target: 1, held_by: 'cooldown' },
      '2 workers (min 1, max 4); demand asks for 1, held by the cooldown after the last change',
    ],
    [{ held_by: 'phase of the moon' }, '2 workers (min 1, max 4); demand asks for 3, held by phase of the moon'],
    [{ target: null, held_by: null }, '2 workers (min 1, max 4); what demand asks for is not known yet'],
    [{ pinned: 2 }, "2 workers (min 1, max 4); pinned to 2 by hand until 'scale … auto'"],
  ])('%j: %s', (more, words) => {
    expect(sizeInWords(sizing(more))).toBe(words);
  });

  it('tells what was learned', () => {
    expect(learnedInWords(sizing())).toBe('1 worker 120/s, 2 workers 233/s');
    expect(learnedInWords(sizing({ learned: [{ workers: 3, per_second: 1.234 }] }))).toBe('3 workers 1.2/s');
    expect(learnedInWords(sizing({ learned: [] }))).toBe('nothing yet');
  });
});

describe('the resources of workers', () => {
  it('are in one table, with – for what is not known', () => {
    const lines = resourcesTable([workerResources('web/1'), unknownWorker('web/2')], plain).split('\n');
    const heads = cells(lines[0]) ?? [];
    const known = Object.fromEntries(heads.map((head, index) => [head, cells(lines[1])?.[index]]));
    expect(known).toEqual({
      worker: 'web/1',
      memory: '90MiB',
      limit: '512MiB',
      rss: '100MiB',
      pss: '80MiB',
      uss: '70MiB',
      virtual: '1GiB',
      heap: '20MiB of 2GiB',
      external: '5MiB',
      loop: '42%',
      lag: '3.2ms',
      gc: '17 in 40ms',
      threads: '11',
      files: '25',
      growth: '+0.1MB/min',
    });
    expect(cells(lines[2])).toEqual(['web/2', ...heads.slice(1).map(() => '–')]);
  });

  it('are formatted to be compared', () => {
    expect([0, 3.21, 42.4, 1500, 45_000, null].map(milliseconds)).toEqual([
      '0.0ms',
      '3.2ms',
      '42ms',
      '1.5s',
      '45s',
      '–',
    ]);
    expect([0, 0.05, 0.5, 1, null].map(share)).toEqual(['0.0%', '5.0%', '50%', '100%', '–']);
    expect([0, 1.04, -3, null].map(growth)).toEqual(['0.0MB/min', '+1.0MB/min', '-3.0MB/min', '–']);
  });
});

describe('describe', () => {
  it('shows size, reason, what was learned, and the resources', () => {
    const text = appDetails(appDetail({ sizing: sizing(), resources: [workerResources('web/1')] }), plain);
    expect(text).toMatch(/sizing +2 workers \(min 1, max 4\); demand asks for 3, held by memory\n/);
    expect(text).toMatch(/\n +the memory has no room for another worker\n/);
    expect(text).toMatch(/learned +1 worker 120\/s, 2 workers 233\/s\n/);
    expect(text).toMatch(/worker +memory +limit +rss[^\n]*\nweb\/1 +90MiB/);
  });

  it('says that a size is fixed, and that nothing was decided yet', () => {
    expect(appDetails(appDetail(), plain)).toMatch(/sizing +fixed\n/);
    expect(appDetails(appDetail({ sizing: sizing({ reason: null }) }), plain)).toMatch(/\n +nothing decided yet\n/);
    const pinned = sizing({ reason: null, pinned: 3, learned: [] });
    expect(appDetails(appDetail({ sizing: pinned }), plain)).toMatch(/by hand until 'scale … auto'\n +queued/);
  });

  it('lets no text of others act on the terminal', () => {
    const nasty = 'x\u001b[2J\u202e';
    const text = appDetails(
      appDetail({ sizing: sizing({ reason: nasty, held_by: nasty }), resources: [workerResources(nasty)] }),
      plain,
    );
    expect(text).not.toMatch(/[\u001b\u202e]/);
    expect(text.match(/x\\x1b\[2J\\u202e/g)).toHaveLength(3);
  });
});
