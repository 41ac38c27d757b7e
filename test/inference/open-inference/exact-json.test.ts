import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactly } from '../../../src/inference/open-inference/exact-json.js';

/** As JSON, with all digits of a bigint. */
function write(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, each]) => `${JSON.stringify(key)}: ${write(each)}`)
      .join(',')}}`;
  return JSON.stringify(value);
}

const long = fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).filter((n) => n > 2n ** 53n || n < -(2n ** 53n));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    long,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    fc.string(),
    fc.string({ unit: fc.constantFrom('1', '9', '"', '\\', ',', '[', '-', ' ') }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('tree')),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('tree'),
    ),
  ),
}));

describe('parseExactly', () => {
  it('keeps every digit of a whole number beyond 2^53, and everything else as JSON.parse does', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = write(value);
        expect(write(parseExactly(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps numbers that are exact already, and those that are no whole numbers', () => {
    const text =
      '[9007199254740991, -9007199254740991, 0.12345678901234567, 12345678901234567.5, 12345678901234567e3, 1e400]';
    expect(parseExactly(text)).toEqual(JSON.parse(text));
    expect(parseExactly('[9007199254740992, 12345678901234567]')).toEqual([9007199254740992n, 12345678901234567n]);
  });

  it.each([
    '{"a": 1, 12345678901234567 : 1}',
    '{12345678901234567: [12345678901234567]}',
    '[12345678901234567x]',
    '[0012345678901234567]',
    '[-, 12345678901234567]',
    '[12345678901234567',
    '["12345678901234567, 12345678901234567]',
    '12345678901234567 12345678901234567',
  ])('refuses %s with the words of JSON.parse', (text) => {
    const messageOf = (parse: (text: string) => unknown): string => {
      try {
        return `parsed as ${String(parse(text))}`;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(messageOf(parseExactly)).toBe(messageOf(JSON.parse));
    expect(messageOf(parseExactly)).toMatch(/JSON/);
  });
});
