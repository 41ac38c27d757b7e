import type { PoolTick } from '../pool.js';

/** What a sizing rule is told whenever it looks, normally once a second of virtual time. */
export interface RuleFacts {
  tick: PoolTick;
  now: number;
  /** The size that it asked for last. */
  desired: number;
  deadlineMs: number;
  cores: number | null;
  /** Null before the first worker has booted under its eyes. */
  bootMs: number | null;
  /** How many workers more the memory has room for; null: no limit. */
  memoryRoom: number | null;
  /** Memory used ÷ limit; null: no limit. */
  memoryShare: number | null;
}

export interface Limits {
  min: number;
  max: number;
}

/** A policy: the size from now on. */
export type SizingRule = (facts: RuleFacts) => number;

/** Every rule starts from nothing, with the size that it begins with. */
export interface Contender {
  name: string;
  first: number;
  /** How often it looks, ms; 1 s where nothing is said. */
  everyMs?: number;
  create(): SizingRule;
}

export function clamp(size: number, { min, max }: Limits): number {
  return Math.min(max, Math.max(min, size));
}

/** Up to the next whole number, where it is not one but for rounding. */
export function ceil(value: number): number {
  return Math.ceil(value - 1e-9);
}
