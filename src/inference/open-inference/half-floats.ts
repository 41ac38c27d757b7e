/** FP16 and BF16 as 32-bit floats and back: Node 20 has no Float16Array. Rounding is to nearest, ties to even. */

/** One number's bits, seen as both. */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

const FP16_MAX_EXPONENT = 31;
/** 2^-24: the smallest FP16 above zero, and the step of all subnormal ones. */
const FP16_STEP = 2 ** -24;

export function fromFp16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * FP16_STEP;
  if (exponent === FP16_MAX_EXPONENT) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

export function toFp16(value: number): number {
  float[0] = value;
  const all = bits[0] as number;
  const sign = (all >>> 16) & 0x8000;
  const exponent = (all >>> 23) & 0xff;
  const fraction = all & 0x7fffff;
  if (exponent === 0xff) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  // Adding carries over from the fraction into the exponent, up to infinity: that is the rounding.
  if (exponent > 112) {
    const half = ((exponent - 112) << 10) | (fraction >>> 13);
    return exponent > 142 ? sign | 0x7c00 : sign | (half + roundUp(half, fraction & 0x1fff, 0x1000));
  }
  if (exponent < 102) return sign;
  const shift = 126 - exponent;
  const whole = fraction | 0x800000;
  const half = whole >>> shift;
  return sign | (half + roundUp(half, whole & ((1 << shift) - 1), 1 << (shift - 1)));
}

export function fromBf16(half: number): number {
  bits[0] = half << 16;
  return float[0] as number;
}

export function toBf16(value: number): number {
  float[0] = value;
  const all = bits[0] as number;
  const half = all >>> 16;
  // A NaN whose payload is in the lower half only must not become an infinity.
  if (Number.isNaN(value)) return half | 0x40;
  return half + roundUp(half, all & 0xffff, 0x8000);
}

function roundUp(kept: number, dropped: number, tie: number): number {
  return dropped > tie || (dropped === tie && (kept & 1) === 1) ? 1 : 0;
}
