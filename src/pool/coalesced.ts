/** An act that runs once at a time: calls that come while it runs become one more run after it, with what the last of them wanted. */
export class Coalesced<Wish> {
  #running: Promise<void> | null = null;
  #next: { promise: Promise<void>; wish: Wish } | null = null;

  constructor(private readonly act: (wish: Wish) => Promise<void>) {}

  get running(): boolean {
    return this.#running !== null;
  }

  run(wish: Wish): Promise<void> {
    if (!this.#running) {
      this.#running = this.act(wish).finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    if (this.#next) this.#next.wish = wish;
    else this.#next = { wish, promise: this.#follow(this.#running) };
    return this.#next.promise;
  }

  async #follow(running: Promise<void>): Promise<void> {
    // How the first one ended is for its own callers.
    await Promise.allSettled([running]);
    const { wish } = this.#next!;
    this.#next = null;
    return this.run(wish);
  }
}
