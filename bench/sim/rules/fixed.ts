import type { Contender } from './rule.js';

export function fixedSize(size: number): Contender {
  // It has nothing to decide, and a week has many seconds.
  return { name: `static ${size}`, first: size, everyMs: 60_000, create: () => () => size };
}
