import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTrace } from '../../bench/sim/trace.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'trace-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function file(text: string): string {
  const path = join(dir, 'trace.csv');
  writeFileSync(path, text);
  return path;
}

describe('readTrace', () => {
  it('reads seconds, counted from the first', async () => {
    expect([...(await readTrace(file('time\n1700000000.5\n1700000001\n1700000001.25\n'), 'time'))]).toEqual([
      0, 500, 750,
    ]);
  });

  it('reads ISO 8601, whatever its zone; without one it is UTC', async () => {
    const times = [
      '2024-03-31T00:30:00Z',
      '2024-03-31T02:30:01+02:00',
      '2024-03-31 00:30:02.5',
      '2024-03-30T19:30:03-0500',
    ];
    expect([...(await readTrace(file(`at\n${times.join('\n')}\n`), 'at'))]).toEqual([0, 1000, 2500, 3000]);
  });

  it('finds the column among others, quoted or not, and bears what spreadsheets write', async () => {
    const text = '\uFEFFid,"when, ""exactly""",what\r\n1,3,"a, b"\r\n"2",1,\r\n\r\n3,"2","c ""d"""\r\n';
    expect([...(await readTrace(file(text), 'when, "exactly"'))]).toEqual([0, 1000, 2000]);
  });

  it.each([
    ['', 'trace.csv is empty: it needs a header'],
    ['time\n', 'trace.csv has no line after its header'],
    ['a,b\n1,2\n', "trace.csv:1 has no column 'time'; it has: a, b"],
    ['a,time\n1,2\n3\n', "trace.csv:3 has nothing in column 'time'"],
    ['time\n1\n\nyesterday\n', "trace.csv:4: 'yesterday' in column 'time' is neither seconds"],
    ['time\n2024-02-30\n', "trace.csv:2: '2024-02-30' in column 'time' is neither seconds"],
    ['time\n2024-13-01T00:00:00Z\n', "'2024-13-01T00:00:00Z' in column 'time' is neither seconds"],
    ['time\n1700000000000\n', "trace.csv:2: 1700000000000 in column 'time' is too large for seconds; is it in ms?"],
  ])('says what is wrong with %j', async (text, message) => {
    await expect(readTrace(file(text), 'time')).rejects.toThrow(message);
  });

  it('says which file is not there', async () => {
    await expect(readTrace(join(dir, 'none.csv'), 'time')).rejects.toThrow(/none\.csv can't be read: ENOENT/);
  });
});
