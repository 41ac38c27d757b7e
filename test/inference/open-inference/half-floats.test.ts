import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBf16, fromFp16, toBf16, toFp16 } from '../../../src/inference/open-inference/half-floats.js';

const formats = [
  { name: 'FP16', of: toFp16, value: fromFp16, infinity: 0x7c00, max: 65504 },
  { name: 'BF16', of: toBf16, value: fromBf16, infinity: 0x7f80, max: 2 ** 127 * (2 - 2 ** -7) },
];

describe.each(formats)('$name', ({ of, value, infinity, max }) => {
  it('gives every bit pattern back', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      const number = value(bits);
      if (Number.isNaN(number)) expect(value(of(number))).toBeNaN();
      else if (of(number) !== bits) expect.unreachable(`${bits.toString(16)} became ${of(number).toString(16)}`);
    }
  });

  it('knows its ends', () => {
    expect([value(0), value(infinity), value(infinity - 1)]).toEqual([0, Number.POSITIVE_INFINITY, max]);
    expect(Object.is(value(0x8000), -0)).toBe(true);
    expect([of(Number.POSITIVE_INFINITY), of(Number.NEGATIVE_INFINITY)]).toEqual([infinity, infinity | 0x8000]);
    expect(of(1e39)).toBe(infinity);
    expect(value(of(Number.NaN))).toBeNaN();
  });

  it('takes the even one of two that are equally near', () => {
    const one = of(1);
    const step = value(one + 1) - 1;
    expect([0.5, 1.5, 2.5].map((steps) => of(1 + steps * step) - one)).toEqual([0, 2, 2]);
    const least = value(1);
    expect([0.5, 1.5, 2.5].map((steps) => of(steps * least))).toEqual([0, 2, 2]);
  });

  it('takes the nearest one, and of two equally near ones the even one', () => {
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-max), max: Math.fround(max) }),
        (number) => {
          const bits = of(number);
          const distance = Math.abs(value(bits) - number);
          for (const neighbour of [bits - 1, bits + 1]) {
            const other = value(neighbour & 0xffff);
            if (!Number.isFinite(other)) continue;
            const off = Math.abs(other - number);
            expect(distance <= off).toBe(true);
            if (distance === off && distance > 0) expect(bits & 1).toBe(0);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
