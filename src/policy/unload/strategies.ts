import type { Strategy } from '../keepalive.js';
import type { PressureLevel } from '../pressure.js';

/** From the one that keeps models longest to the one that keeps them least. */
const LADDER: readonly Strategy[] = ['conservative', 'balanced', 'aggressive'];
/** So many steps further down under pressure. */
const STEPS: Readonly<Record<PressureLevel, number>> = { low: 0, medium: 1, high: 2, critical: 2 };

export function isBuiltIn(name: string): name is Strategy {
  return (LADDER as readonly string[]).includes(name);
}

/** The strategy that is followed while memory is as full as this. @param pressure null: not known, taken for low */
export function shifted(strategy: Strategy, pressure: PressureLevel | null): Strategy {
  const step = Math.min(LADDER.length - 1, LADDER.indexOf(strategy) + STEPS[pressure ?? 'low']);
  return LADDER[step] as Strategy;
}

/** What a strategy of one's own is told of a model. Times in seconds; null: not known, or never. */
export interface StrategyFacts {
  readonly model: string;
  readonly version: string;
  /** Since the end of the last request, or since it was loaded. */
  readonly idleSeconds: number;
  readonly residentSeconds: number;
  readonly memoryBytes: number | null;
  readonly loadSeconds: number | null;
  /** Requests within the learning window, older ones count less. */
  readonly popularity: number;
  /** Chance of a request within the next 15 minutes, 0..1. */
  readonly chanceOfUse: number;
  readonly pressure: PressureLevel;
  /** Of the memory limit, 0..1 and above. */
  readonly usedShare: number | null;
}

export interface StrategyAnswer {
  unload: boolean;
  /** For the decision log. */
  reason: string | null;
  /** 0..1: who goes first where several go. */
  score: number;
}

/** A pure function of the facts: anything else is an error, and `balanced` is followed instead. */
export type StrategyFunction = (facts: StrategyFacts) => unknown;

export const PATTERN_SCORE = 0.8;
const LONGEST_REASON = 200;

/** What a strategy answered. @throws Error what is wrong with it */
export function strategyAnswer(given: unknown): StrategyAnswer {
  if (typeof given === 'boolean') return { unload: given, reason: null, score: PATTERN_SCORE };
  if (typeof given !== 'object' || given === null)
    throw new Error(`it answered ${given === null ? 'null' : typeof given} instead of { unload: true or false }`);
  const { unload, reason = null, score = PATTERN_SCORE } = given as Partial<Record<keyof StrategyAnswer, unknown>>;
  if (typeof unload !== 'boolean') throw new Error('its answer has no `unload` that is true or false');
  if (typeof score !== 'number' || !(score >= 0 && score <= 1)) throw new Error('its `score` is not between 0 and 1');
  if (reason !== null && typeof reason !== 'string') throw new Error('its `reason` is not text');
  return { unload, reason: reason === null ? null : reason.slice(0, LONGEST_REASON), score };
}
