import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMinutes } from '../../bench/sim/models/minutes-csv.js';

const MINUTES = Array.from({ length: 1440 }, (_, i) => String(i + 1));
const HEADER = ['HashOwner', 'HashApp', 'HashFunction', 'Trigger', ...MINUTES].join(',');

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'minutes-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

/** A day's row: calls by minute, from 0. */
function row(id: string, calls: Record<number, number | string>): string {
  return [...id.split('/'), ...MINUTES.map((_, i) => calls[i] ?? 0)].join(',');
}

const day = (name: string, rows: string[]) => file(name, `${[HEADER, ...rows].join('\n')}\n`);

const found = ({ models }: Awaited<ReturnType<typeof readMinutes>>) =>
  Object.fromEntries(
    models.map(({ name, calls }) => [name, calls.kind === 'recorded' ? [[...calls.minutes], [...calls.counts]] : null]),
  );

describe('readMinutes', () => {
  it('reads calls a minute, one model a row', async () => {
    const path = day('one.csv', [row('o/a/f/http', { 0: 3, 7: 12, 1439: 1 }), row('o/a/g/timer', { 60: 1 })]);
    const recording = await readMinutes([path], null, 1);
    expect(recording.days).toBe(1);
    expect(found(recording)).toEqual({
      'o,a,f,http': [
        [0, 7, 1439],
        [3, 12, 1],
      ],
      'o,a,g,timer': [[60], [1]],
    });
    for (const { mb, loadSeconds } of recording.models) {
      expect(mb).toBeGreaterThan(0);
      expect(loadSeconds).toBeCloseTo(0.5 + mb / 200, 9);
    }
  });

  it('goes on from file to file, also for a model that comes or goes', async () => {
    const first = day('d01.csv', [row('o/a/f/http', { 5: 1 }), row('o/a/g/http', { 6: 1 })]);
    const second = day('d02.csv', [row('o/a/h/http', { 7: 1 }), row('o/a/f/http', { 5: 2 })]);
    const recording = await readMinutes([first, second], null, 1);
    expect(recording.days).toBe(2);
    expect(found(recording)).toEqual({
      'o,a,f,http': [
        [5, 1445],
        [1, 2],
      ],
      'o,a,g,http': [[6], [1]],
      'o,a,h,http': [[1447], [1]],
    });
  });

  it('takes several days in one file, and any number of id columns', async () => {
    const header = ['model', ...Array.from({ length: 2880 }, (_, i) => i + 1)].join(',');
    const counts = Array.from({ length: 2880 }, (_, i) => (i === 2000 ? 4 : 0));
    const recording = await readMinutes([file('two.csv', `${header}\nm,${counts.join(',')}\n`)], null, 1);
    expect(recording.days).toBe(2);
    expect(found(recording)).toEqual({ m: [[2000], [4]] });
  });

  it('bears what spreadsheets write, and ids that repeat', async () => {
    const text = `\uFEFF${HEADER}\r\n${row('o/a/f/x', { 1: '"2"', 3: ' 1', 5: '' })}\r\n${row('o/a/f/x', { 2: 1, 3: 1 })}\r\n\r\n`;
    expect(found(await readMinutes([file('odd.csv', text)], null, 1))).toEqual({
      'o,a,f,x': [
        [1, 2, 3],
        [2, 1, 2],
      ],
    });
  });

  it('leaves out what was never called', async () => {
    const path = day('idle.csv', [row('o/a/f/http', {}), row('o/a/g/http', { 1: 1 })]);
    expect(Object.keys(found(await readMinutes([path], null, 1)))).toEqual(['o,a,g,http']);
  });

  it('chooses the same models in each file, others for another seed', async () => {
    const rows = (list: number[]) => list.map((i) => row(`o/a/f${i}/http`, { [i]: 1 }));
    const all = Array.from({ length: 60 }, (_, i) => i);
    const paths = [day('c1.csv', rows(all)), day('c2.csv', rows(all.toReversed()))];
    const chosen = await readMinutes(paths, 10, 1);
    expect(chosen.models).toHaveLength(10);
    for (const { calls } of chosen.models) expect(calls.kind === 'recorded' && calls.minutes.length).toBe(2);
    const names = (recording: typeof chosen) => recording.models.map(({ name }) => name).sort();
    expect(names(await readMinutes(paths.toReversed(), 10, 1))).toEqual(names(chosen));
    expect(names(await readMinutes(paths, 10, 2))).not.toEqual(names(chosen));
  });

  it.each<[string, string, string]>([
    ['empty.csv', '', 'empty.csv is empty: it needs a header'],
    ['none.csv', `${HEADER}\n`, 'none.csv: no model was called'],
    ['head.csv', 'a,b,c\n1,2,3\n', 'head.csv:1 must name id columns and then one column a minute'],
    ['noid.csv', `${MINUTES.join(',')}\n`, 'noid.csv:1 must name id columns'],
    [
      'stray.csv',
      `id,1,2,x\nm,0,1,0\n`,
      "stray.csv:1 must name id columns and then one column a minute (1, 2, … 1440); 'x' is neither",
    ],
    ['short.csv', `id,1,2,3\nm,0,1\n`, 'short.csv:2 has 2 minutes, its header names 3'],
    ['long.csv', `id,1,2,3\nm,0,1,0,0\n`, 'long.csv:2 has 4 minutes, its header names 3'],
    ['word.csv', `id,1,2,3\nm,0,many,0\n`, "word.csv:2, minute 2: 'many' is no count"],
    ['minus.csv', `id,1,2,3\nm,0,-1,0\n`, "minus.csv:2, minute 2: '-1' is no count"],
    ['ids.csv', `a,b,1,2\nm\n`, 'ids.csv:2 ends within its id columns'],
  ])('says what is wrong with %s', async (name, text, message) => {
    await expect(readMinutes([file(name, text)], null, 1)).rejects.toThrow(message);
  });

  it('says which file is not there', async () => {
    await expect(readMinutes([join(dir, 'absent.csv')], null, 1)).rejects.toThrow(/absent\.csv can't be read: ENOENT/);
  });
});
