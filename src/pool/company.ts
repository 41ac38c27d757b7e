/** As much of a batch as others in its host need to see. */
interface Companion {
  /** Nothing else was in flight in its domain from its first moment on. */
  alone: boolean;
}

/**
 * What is in flight in each domain, of all the pools that have workers there: when a host dies that several models share, whoever was not alone in it is
 * not known to be the one.
 */
export class Company {
  readonly #inFlight = new Map<string, Set<Companion>>();

  joined(domain: string, batch: Companion): void {
    const others = this.#inFlight.get(domain);
    if (!others) {
      this.#inFlight.set(domain, new Set([batch]));
      return;
    }
    batch.alone = false;
    for (const other of others) other.alone = false;
    others.add(batch);
  }

  left(domain: string, batch: Companion): void {
    const inFlight = this.#inFlight.get(domain);
    inFlight?.delete(batch);
    if (inFlight?.size === 0) this.#inFlight.delete(domain);
  }
}
