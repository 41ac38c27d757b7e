import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/cli/printable.js';

const DANGEROUS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/;

describe('printable', () => {
  it.each([
    ['\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[2J', '\\x1b[2J'],
    ['\u009b2J', '\\x9b2J'],
    ['a\rb\nc', 'a\\x0db\\x0ac'],
    ['tab\tstays, é 😀 too', 'tab\tstays, é 😀 too'],
    ['user\u202eexe.txt', 'user\\u202eexe.txt'],
    ['\ud800', '\\ud800'],
  ])('shows %j as %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('lets nothing through that acts on a terminal, also not what is left when colours are taken out', () => {
    const parts = fc.constantFrom(
      '\u001b',
      '[',
      '3',
      '1',
      'm',
      ']',
      '\u0007',
      '\u009b',
      '\u202e',
      'x',
      '\n',
      '\u001b[0m',
    );
    fc.assert(
      fc.property(
        fc.array(parts).map((p) => p.join('')),
        (text) => !DANGEROUS.test(printable(text)),
      ),
    );
  });

  it('keeps newlines where lines are meant', () => {
    expect(printableLines('a\n\u001bb')).toBe('a\n\\x1bb');
  });
});

describe('printableJson', () => {
  it('means the same and holds nothing raw', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('\u009b', '\u007f', '\u202e', '\u2028', '"', '\\', '\n', 'é')), (chars) => {
        const value = { [chars.join('')]: chars };
        const text = printableJson(value, 2);
        expect(JSON.parse(text)).toEqual(value);
        expect(text.replaceAll('\n', '')).not.toMatch(DANGEROUS);
      }),
    );
  });
});
