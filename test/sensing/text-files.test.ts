import { expect, it } from 'vitest';
import { count, countOf, numberAt, readIfThere, readText } from '../../src/sensing/text-files.js';
import { FakeMachine } from './fake-machine.js';

it('takes whole numbers only, and none that is too large to count with', () => {
  expect(count('0')).toBe(0);
  expect(count('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of [
    '',
    ' ',
    '-1',
    '+1',
    '1.5',
    '1e3',
    'NaN',
    'Infinity',
    '0x10',
    '9007199254740992',
    '9'.repeat(400),
    undefined,
  ])
    expect(count(text), text).toBeNull();
  expect(countOf('x', ' 7\n')).toBe(7);
  expect(() => countOf('memory.max', 'rubbish')).toThrow('memory.max is no number: "rubbish"');
});

it('finds a value by its whole key', () => {
  const text = 'total_inactive_file 1\ninactive_file_x 2\ninactive_file 3\nlast: 4 kB';
  expect(numberAt('inactive_file ', text)).toBe(3);
  expect(numberAt('total_inactive_file ', text)).toBe(1);
  expect(numberAt('last:', text)).toBe(4);
  expect(() => numberAt('active_file ', text)).toThrow('active_file is missing');
  expect(() => numberAt('last:', 'last:')).toThrow();
});

it('tells a file that is not there from one that may not be read', () => {
  const machine = new FakeMachine({ 'proc/x': 'text' });
  expect(readIfThere(`${machine.proc}/x`)).toBe('text');
  expect(readIfThere(`${machine.proc}/y`)).toBeNull();
  expect(readIfThere(`${machine.proc}/x/below`)).toBeNull();
  expect(() => readIfThere(machine.proc)).toThrow('EISDIR');
});

it('reads a long file whole, and a short one after it', () => {
  const long = 'x'.repeat(100_000);
  const machine = new FakeMachine({ 'proc/long': long, 'proc/short': 'y', 'proc/empty': '' });
  expect(readText(`${machine.proc}/long`)).toBe(long);
  expect(readText(`${machine.proc}/short`)).toBe('y');
  expect(readText(`${machine.proc}/empty`)).toBe('');
  expect(() => readText(`${machine.proc}/none`)).toThrow('proc/none');
});
