import type { Contender } from './rule.js';

export function fixedSize(size: number): Contender {
  return { name: `static ${size}`, first: size, create: () => () => size };
}
