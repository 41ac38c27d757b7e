import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUT_MARK, countLines, LineSplitter, MAX_LINE_CHARS } from '../../src/logs/line-splitter.js';

function split(pieces: string[]): string[] {
  const splitter = new LineSplitter();
  const blocks = [...pieces.map((piece) => splitter.push(piece)), splitter.end()];
  return blocks.filter((block) => block !== null).flatMap((block) => block.split('\n'));
}

describe('LineSplitter', () => {
  it('gives the same lines however the text is cut into pieces', () => {
    const text = fc.array(fc.constantFrom('a', 'é', '\n', '\r\n', '😀', ' '), { maxLength: 60 }).map((c) => c.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), (whole, cuts) => {
        const places = [...new Set(cuts.filter((c) => c < whole.length))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((from, i) => whole.slice(from, places[i] ?? whole.length));
        const expected = whole.replaceAll('\r\n', '\n').split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(split(pieces)).toEqual(expected);
      }),
    );
  });

  it('keeps an unterminated last line', () => {
    expect(split(['a\nb'])).toEqual(['a', 'b']);
  });

  it('cuts a line without end into marked pieces and loses none of it', () => {
    const long = 'x'.repeat(MAX_LINE_CHARS * 2 + 10);
    for (const pieces of [[long, '\nnext\n'], [`${long}\nnext\n`], [...(long.match(/.{1,5000}/g) ?? []), '\nnext\n']]) {
      const lines = split(pieces);
      expect(lines.at(-1)).toBe('next');
      expect(lines.slice(0, 2).every((line) => line.endsWith(CUT_MARK))).toBe(true);
      expect(
        lines
          .slice(0, -1)
          .map((line) => line.replace(CUT_MARK, ''))
          .join(''),
      ).toBe(long);
    }
  });

  it('does not cut a surrogate pair in two', () => {
    const lines = split([`${'x'.repeat(MAX_LINE_CHARS - 1)}😀😀\n`]);
    expect(lines.map((line) => line.replace(CUT_MARK, '')).join('')).toContain('x😀😀');
    expect(lines[0]).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  });

  it('counts lines', () => {
    expect([countLines('a'), countLines('a\n'), countLines('\n\n')]).toEqual([1, 2, 3]);
  });
});
