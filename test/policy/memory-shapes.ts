/** Memory over time as workers show it, drawn from a seed. All sizes in MiB, all times in seconds. */

export type Draw = () => number;
/** Memory at each second. */
export type Shape = (second: number) => number;

/** Even numbers in [0, 1), the same for the same seed (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const between = (draw: Draw, min: number, max: number) => min + (max - min) * draw();

/** Up to ± 2 MiB: new each second, or one that stays for a while. */
export function jitter(draw: Draw, longestSeconds = 60): Shape {
  const everySeconds = draw() < 0.5 ? 1 : between(draw, 2, longestSeconds);
  const amplitude = between(draw, 0.2, 2);
  let until = 0;
  let value = 0;
  return (second) => {
    if (second >= until) {
      until = second + everySeconds;
      value = amplitude * (2 * draw() - 1);
    }
    return value;
  };
}

/** Fills up and is emptied, again and again. */
export function sawtooth(
  draw: Draw,
  amplitude = between(draw, 5, 200),
  period = between(draw, 10, 420),
  irregular = draw() < 0.5 ? 0 : 0.15,
): Shape {
  let start = -period * draw();
  let length = period;
  return (second) => {
    while (second >= start + length) {
      start += length;
      length = Math.min(420, period * (1 + irregular * (2 * draw() - 1)));
    }
    return (amplitude * (second - start)) / period;
  };
}

/** Fills a cache or compiles code, ever slower. */
export function warmUp(draw: Draw): Shape {
  const size = between(draw, 5, 500);
  const timeConstant = between(draw, 10, 300);
  return (second) => size * (1 - Math.exp(-second / timeConstant));
}

/** Loads something for up to three minutes, then is done. */
export function ramp(draw: Draw): Shape {
  const size = between(draw, 5, 500);
  const seconds = between(draw, 5, 180);
  return (second) => size * Math.min(1, second / seconds);
}

/** Loads one or two things, each at once. */
export function steps(draw: Draw, withinSeconds: number): Shape {
  const count = draw() < 0.5 ? 1 : 2;
  const given = Array.from({ length: count }, () => ({
    at: between(draw, 0, withinSeconds),
    size: between(draw, 5, 300),
  }));
  return (second) => given.reduce((sum, { at, size }) => sum + (second >= at ? size : 0), 0);
}

/** Requests come and go: smoothly, or in bursts with rests between. */
export function load(draw: Draw): Shape {
  const amplitude = between(draw, 5, 300);
  const period = between(draw, 20, 420);
  if (draw() < 0.5) {
    const phase = 2 * Math.PI * draw();
    return (second) => (amplitude / 2) * (1 + Math.sin((2 * Math.PI * second) / period + phase));
  }
  let until = 0;
  let level = 0;
  return (second) => {
    if (second >= until) {
      level = level > 0 ? 0 : amplitude * draw();
      until = second + between(draw, 5, period / 2);
    }
    return level;
  };
}

/** Requests of many kinds: wanders around a mean that it always comes back to, within seconds or a minute. */
export function wandering(draw: Draw): Shape {
  const spread = between(draw, 5, 100);
  const memory = Math.exp(-1 / between(draw, 2, 60));
  let value = 0;
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    value = memory * value + spread * Math.sqrt(1 - memory ** 2) * normal;
    return value + 4 * spread;
  };
}

export function leak(perMinute: number): Shape {
  return (second) => (perMinute * second) / 60;
}

export function sum(...shapes: readonly Shape[]): Shape {
  return (second) => shapes.reduce((total, shape) => total + shape(second), 0);
}

/** Bytes in whole pages, as the kernel counts. */
export function bytesOf(mib: number): number {
  return Math.max(0, Math.round((mib * 1024 ** 2) / 4096) * 4096);
}
