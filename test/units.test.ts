import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SupError } from '../src/errors.js';
import { formatDuration, formatSize, parseDuration, parseShare, parseSize } from '../src/units.js';

describe('parseSize', () => {
  it.each([
    ['512MiB', 512 * 1024 ** 2],
    ['512M', 512 * 1024 ** 2],
    ['512m', 512 * 1024 ** 2],
    ['1GiB', 1024 ** 3],
    ['1G', 1024 ** 3],
    ['100MB', 100_000_000],
    ['1KB', 1000],
    ['1K', 1024],
    ['1024B', 1024],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['2TiB', 2 * 1024 ** 4],
    ['0', 0],
    [' 8MiB ', 8 * 1024 ** 2],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it('names both readings of a bare number', () => {
    expect(() => parseSize('300')).toThrow('`300` has no unit: write 300MiB or 300B');
  });

  it.each([
    '',
    'MiB',
    '12parsecs',
    '-1MiB',
    'NaN',
    'Infinity',
    '1e3MiB',
    '1MiB2',
    '.5GiB',
    '1,5GiB',
    '0x10MiB',
    '9999999999999TiB',
  ])('refuses %j', (text) => expect(() => parseSize(text)).toThrow(SupError));

  it('reads every formatted size back to within half a percent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        expect(Math.abs(parseSize(formatSize(bytes)) - bytes)).toBeLessThanOrEqual(bytes * 0.005);
      }),
    );
  });

  it('reads whole units back exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), fc.constantFrom('B', 'KiB', 'MiB', 'GiB'), (number, unit) => {
        expect(formatSize(parseSize(`${number}${unit}`))).toBe(`${number}${unit}`);
      }),
    );
  });

  it('refuses or answers with a whole, safe, non-negative number, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{1,20} ?[kKmMgGtT]?i?[bB]?$/)), (text) => {
        const bytes = refusedOr(() => parseSize(text));
        expect(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
      }),
    );
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1KiB'],
    [1024 ** 2 - 1, '1MiB'],
    [1.5 * 1024 ** 3, '1.5GiB'],
    [-2048, '-2KiB'],
    [Number.NaN, '?'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('%d', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});

describe('parseDuration', () => {
  it.each([
    ['100ms', 100],
    ['90s', 90_000],
    ['4h', 14_400_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1m', 60_000],
    ['1m5ms', 60_005],
    ['1.5s', 1500],
    ['0', 0],
    ['0s', 0],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it('names both readings of a bare number', () => {
    expect(() => parseDuration('30')).toThrow('`30` has no unit: write 30s or 30ms');
  });

  it.each(['', 's', '30m1h', '1h1h', '-1s', '1 hour', '5S', 'NaN', 'Infinity', '1w', '9999999999999999d'])(
    'refuses %j',
    (text) => expect(() => parseDuration(text)).toThrow(SupError),
  );

  it('reads every formatted duration back exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 13 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it('refuses or answers with a whole, safe, non-negative number, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^([0-9.]{1,20}(d|h|m|s|ms)){1,4}$/)), (text) => {
        const ms = refusedOr(() => parseDuration(text));
        expect(ms === null || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [90_000, '1m30s'],
    [14_400_000, '4h'],
    [604_800_000, '7d'],
    [-1500, '-1s500ms'],
    [Number.NaN, '?'],
  ])('%d', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe('parseShare', () => {
  it.each([
    ['80%', 0.8],
    ['0%', 0],
    ['100%', 1],
    ['12.5%', 0.125],
    ['0', 0],
  ])('%s', (text, share) => expect(parseShare(text)).toBe(share));

  it('names the readings of a bare number', () => {
    expect(() => parseShare('0.8')).toThrow('write 0.8% or 80%');
    expect(() => parseShare('80')).toThrow('write 80%');
  });

  it.each(['101%', '-1%', '%', 'NaN%', 'Infinity%', ''])('refuses %j', (text) =>
    expect(() => parseShare(text)).toThrow(SupError),
  );
});

it('never repeats more than the beginning of a long text, and has a hint without any of it', () => {
  const secret = `${'x'.repeat(60)}SECRET`;
  try {
    parseSize(secret);
    expect.unreachable();
  } catch (error) {
    expect((error as SupError).message).not.toContain('SECRET');
    expect((error as SupError).data.hint).not.toContain('x'.repeat(10));
  }
});

function refusedOr(parse: () => number): number | null {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(SupError);
    return null;
  }
}
