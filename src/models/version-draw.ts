import { createHash } from 'node:crypto';

/**
 * Which version answers a request that names none. By weight: the same user gets the same version as long as the weights stay, and
 * requests without a user take turns so evenly that the shares are right to within one at any time.
 */
export class VersionDraw {
  readonly #weights: readonly [version: string, weight: number][];
  readonly #credit = new Map<string, number>();

  /**
   * @param weights null: the default version takes all
   * @param fallback the default version
   */
  constructor(
    weights: ReadonlyMap<string, number> | null,
    private readonly fallback: string,
  ) {
    this.#weights = [...(weights ?? [])].filter(([, weight]) => weight > 0);
  }

  /** @param able those that would answer; one that would not gets none while another would */
  next(user: string | null, able: readonly string[]): string {
    const drawn = this.#weights.filter(([version]) => able.includes(version));
    if (drawn.length > 1) return user === null ? this.#inTurn(drawn) : ofUser(user, drawn);
    if (drawn.length === 1) return drawn[0]![0];
    // Versions of weight 0 are to get nothing by themselves.
    if (this.#weights.length > 0 || able.includes(this.fallback)) return this.fallback;
    // The last one is the youngest: where the default does not answer, the one before it comes next.
    return able.at(-1) ?? this.fallback;
  }

  /**
   * Of those that have had less than their share, the one whose next turn must come soonest (Tijdeman's chairman assignment). The richest
   * instead, as in smooth weighted round robin, may be more than one turn off where weights differ much.
   */
  #inTurn(able: readonly [string, number][]): string {
    const total = able.reduce((sum, [, weight]) => sum + weight, 0);
    let best = able[0]![0];
    let soonest = Number.POSITIVE_INFINITY;
    for (const [version, weight] of able) {
      const credit = (this.#credit.get(version) ?? 0) + weight;
      this.#credit.set(version, credit);
      const turnsLeft = (total - credit) / weight;
      if (credit > 0 && turnsLeft < soonest) {
        soonest = turnsLeft;
        best = version;
      }
    }
    this.#credit.set(best, (this.#credit.get(best) ?? 0) - total);
    return best;
  }
}

/** Rendezvous hashing: when a version comes or goes, only those users move that it gets or had. */
function ofUser(user: string, able: readonly [string, number][]): string {
  let best = able[0]![0];
  let most = Number.NEGATIVE_INFINITY;
  for (const [version, weight] of able) {
    const digest = createHash('sha1').update(version).update('\0').update(user).digest();
    const uniform = (digest.readUIntBE(0, 6) + 1) / (2 ** 48 + 1);
    const score = -weight / Math.log(uniform);
    if (score > most) {
      most = score;
      best = version;
    }
  }
  return best;
}
