import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSizes, parseSizes } from '../../src/sizing/sizes.js';

describe('parseSizes', () => {
  it.each([
    ['4', [4]],
    ['1..4', [1, 2, 3, 4]],
    ['3..3', [3]],
    ['8,1,2, 2', [1, 2, 8]],
    ['1..2,8', [1, 2, 8]],
  ])('%s', (text, sizes) => expect(parseSizes(text)).toEqual(sizes));

  it.each(['', '0', '0..3', '3..1', '1..', '..3', '1...3', '1-3', 'a', '1,,2', '513', '1..513', '1.5', '-1', '1e2'])(
    'refuses %j',
    (text) => expect(() => parseSizes(text)).toThrow(`not '${text}'`),
  );

  it('property: any text gives ascending sizes from 1 to 512, or is refused', () => {
    const pieces = fc.array(fc.constantFrom('1', '0', '9', '..', '.', ',', ' ', '-', 'x')).map((all) => all.join(''));
    fc.assert(
      fc.property(pieces, (text) => {
        let sizes: number[];
        try {
          sizes = parseSizes(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SUP_USAGE' });
          return;
        }
        expect(sizes.length).toBeGreaterThan(0);
        expect(sizes).toEqual([...new Set(sizes)].sort((a, b) => a - b));
        for (const size of sizes) expect(size >= 1 && size <= 512).toBe(true);
      }),
    );
  });
});

describe('defaultSizes', () => {
  it.each([
    [{ min: 1, max: 1 }, 2, [1, 2, 3, 4]],
    [{ min: 3, max: 3 }, 16, [1, 2, 3, 4, 5, 6, 7, 8]],
    [{ min: 0, max: 3 }, 16, [1, 2, 3]],
    [{ min: 2, max: 40 }, 2, [1, 2, 3, 4, 5, 6, 7, 8]],
  ])('%j on %i cores', (range, cores, sizes) => expect(defaultSizes(range, cores)).toEqual(sizes));
});
