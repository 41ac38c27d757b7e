import { messageOf } from '../errors.js';

/** Asks one source. What it can't read is null, and said once until it has worked again. */
export class Sensor<T, A extends unknown[] = []> {
  #failing = false;

  /** @param look null where the machine has no such thing; throws where it has and it can't be read */
  constructor(
    private readonly what: string,
    private readonly look: (...about: A) => T | null,
    private readonly warn: (text: string) => void,
  ) {}

  read(...about: A): T | null {
    try {
      const seen = this.look(...about);
      if (seen !== null) this.#failing = false;
      return seen;
    } catch (error) {
      if (!this.#failing)
        this.warn(`${this.what} can't be read, and nothing is decided on it until it can: ${messageOf(error)}`);
      this.#failing = true;
      return null;
    }
  }
}
