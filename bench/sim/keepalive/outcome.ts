import { quantile } from '../../support/numbers.js';
import type { ModelOutcome } from './race.js';

/** What one policy came to with all models. */
export interface Outcome {
  cold_starts: number;
  /** Upper quartile of the models' shares of requests that found them unloaded. Null: no model was called. */
  p75_cold_rate: number | null;
  cold_seconds: number;
  wasted_mb_s: number;
}

/** @returns one for each policy, in their order */
export function outcomes(models: readonly ModelOutcome[]): Outcome[] {
  const called = models.filter(({ requests }) => requests > 0);
  return (models[0]?.tallies ?? []).map((_, policy) => {
    const tallies = called.map(({ tallies }) => tallies[policy]!);
    const sum = (of: (tally: (typeof tallies)[number]) => number) =>
      tallies.reduce((total, tally) => total + of(tally), 0);
    return {
      cold_starts: sum(({ cold }) => cold),
      p75_cold_rate: quantile(
        called.map(({ requests, tallies }) => tallies[policy]!.cold / requests),
        0.75,
      ),
      cold_seconds: sum(({ coldSeconds }) => coldSeconds),
      wasted_mb_s: sum(({ wastedMbSeconds }) => wastedMbSeconds),
    };
  });
}
