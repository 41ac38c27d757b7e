/** What a sample counts less with each that follows: about the latest 200 decide. */
const FADING = 0.995;

/**
 * What a batch of so many inputs takes in this pool: a fixed part and one for each input, fitted to what came back. A worker is
 * compared with it, and not with other workers' times by input: those depend on how large the batches were that each happened to get.
 */
export class Cost {
  #weight = 0;
  #inputs = 0;
  #ms = 0;
  #inputsSquared = 0;
  #inputsMs = 0;

  observe(inputs: number, ms: number): void {
    this.#weight = this.#weight * FADING + 1;
    this.#inputs = this.#inputs * FADING + inputs;
    this.#ms = this.#ms * FADING + ms;
    this.#inputsSquared = this.#inputsSquared * FADING + inputs * inputs;
    this.#inputsMs = this.#inputsMs * FADING + inputs * ms;
  }

  /** Of a batch of this size, ms; null: nothing came back yet. */
  of(inputs: number): number | null {
    if (this.#weight === 0) return null;
    const meanInputs = this.#inputs / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const variance = this.#inputsSquared / this.#weight - meanInputs * meanInputs;
    // Of one size only: nothing tells the two parts apart.
    if (variance < 1e-6 * meanInputs * meanInputs) return (meanMs * inputs) / meanInputs;
    const slope = (this.#inputsMs / this.#weight - meanInputs * meanMs) / variance;
    if (slope <= 0) return meanMs;
    const fixed = meanMs - slope * meanInputs;
    return fixed <= 0 ? (this.#inputsMs / this.#inputsSquared) * inputs : fixed + slope * inputs;
  }

  /** Of one input in batches as they have been lately, ms; null: nothing came back yet. */
  perInput(): number | null {
    return this.#inputs === 0 ? null : this.#ms / this.#inputs;
  }
}
