import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, formatBlock, linesOf, parseLine } from '../../src/logs/format.js';

const block = (text: string): Block => ({ time: '2026-01-02T03:04:05.678Z', worker: 'web/$1', stream: 'stderr', text });

describe('formatBlock', () => {
  it('writes one JSON object a line with the keys in their order', () => {
    expect(formatBlock('web', block('a\n$& "b"'), 'json')).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","app":"web","worker":"web/$1","stream":"stderr","line":"a"}\n' +
        '{"time":"2026-01-02T03:04:05.678Z","app":"web","worker":"web/$1","stream":"stderr","line":"$& \\"b\\""}\n',
    );
  });

  it('writes plain lines', () => {
    expect(formatBlock('web', block('a\n\nc'), 'plain')).toBe(
      ['a', '', 'c'].map((l) => `2026-01-02T03:04:05.678Z web/$1 stderr | ${l}\n`).join(''),
    );
  });

  it('is read back as it was, in both formats', () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .map((s) => `${s}\t\0\\`)
      .map((s) => s.replaceAll('\n', ''));
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1 }),
        fc.constantFrom('json' as const, 'plain' as const),
        (lines, format) => {
          const b = block(lines.join('\n'));
          const written = formatBlock('web', b, format).split('\n');
          expect(written.pop()).toBe('');
          expect(written.map((text) => parseLine('web', text))).toEqual(linesOf('web', b));
        },
      ),
    );
  });

  it('takes what is neither format for no line', () => {
    expect(parseLine('web', '{"time":"2026-01-02T03:04')).toBeNull();
    expect(parseLine('web', 'half a li')).toBeNull();
  });
});

describe('linesOf', () => {
  it('keeps the newest lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('', 'a', 'bb'), { minLength: 1 }),
        fc.integer({ min: 1, max: 12 }),
        (lines, n) => {
          expect(linesOf('web', block(lines.join('\n')), n).map((l) => l.line)).toEqual(lines.slice(-n));
        },
      ),
    );
  });
});
