/** Uses of a model, older ones counting less: one of a window ago counts 1/e. */
export class Popularity {
  #uses = 0;
  #at: number | null = null;

  /** @param saved what `toJSON` gave; anything else starts at nothing */
  constructor(
    saved: unknown,
    private readonly windowMs: number,
  ) {
    const { uses, at } = (saved ?? {}) as { uses?: unknown; at?: unknown };
    if (typeof uses !== 'number' || typeof at !== 'number' || !(uses >= 0) || !Number.isFinite(at)) return;
    this.#uses = uses;
    this.#at = at;
  }

  add(uses: number, wallMs: number): void {
    this.#uses = this.value(wallMs) + uses;
    this.#at = wallMs;
  }

  value(wallMs: number): number {
    // A clock that was set back makes nothing more popular.
    return this.#at === null ? 0 : this.#uses * Math.exp(-Math.max(0, wallMs - this.#at) / this.windowMs);
  }

  toJSON(): { uses: number; at: number | null } {
    return { uses: Math.round(this.#uses * 1000) / 1000, at: this.#at };
  }
}
