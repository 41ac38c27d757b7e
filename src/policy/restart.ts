import { act, type PolicyDecision } from './decision.js';

export interface RestartLimits {
  policy: 'always' | 'on-failure' | 'never';
  backoffMs: number;
  maxBackoffMs: number;
  /** Deaths without a stable run between them that are forgiven. */
  maxRestarts: number;
  /** A run at least this long is stable and clears the count. */
  windowMs: number;
}

export interface Death {
  /** Deaths without a stable run between them, this one not counted. */
  earlier: number;
  /** How long it had been ready; null when it never was. */
  readyMs: number | null;
  /** It ended by itself with exit code 0. */
  clean: boolean;
}

export interface RestartDecision extends PolicyDecision<'restart' | 'giveUp' | 'end'> {
  delayMs: number;
  /** Deaths since the last stable run, this one counted. */
  deaths: number;
}

/**
 * What follows a death: the first one after a stable run restarts at once; then exponential backoff with full jitter over its upper
 * half (AWS Architecture Blog, "Exponential Backoff And Jitter"); too many without a stable run between them end in `failed`.
 * @param draw one number in [0, 1)
 */
export function decideRestart(death: Death, limits: RestartLimits, draw: number): RestartDecision {
  const stable = death.readyMs !== null && death.readyMs >= limits.windowMs;
  const deaths = stable ? 1 : death.earlier + 1;
  const numbers = {
    deaths,
    max_restarts: limits.maxRestarts,
    ready_ms: death.readyMs === null ? null : Math.round(death.readyMs),
  };
  if (limits.policy === 'never' || (limits.policy === 'on-failure' && death.clean))
    return { ...act('end', `restart policy is ${limits.policy}`, numbers), delayMs: 0, deaths };
  if (deaths > limits.maxRestarts)
    return { ...act('giveUp', `${deaths} deaths without a stable run`, numbers), delayMs: 0, deaths };
  if (deaths === 1 && death.readyMs !== null)
    return { ...act('restart', 'first death after a stable run', { ...numbers, delay_ms: 0 }), delayMs: 0, deaths };
  const ceiling = Math.min(limits.maxBackoffMs, limits.backoffMs * 2 ** Math.min(deaths - 1, 30));
  const delayMs = Math.round(ceiling / 2 + (ceiling / 2) * draw);
  return { ...act('restart', `backoff after ${deaths} deaths`, { ...numbers, delay_ms: delayMs }), delayMs, deaths };
}
