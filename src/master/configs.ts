import type { Loaded } from '../config/load.js';
import { type Config, STANDARD_BOX } from '../config/schema.js';
import { rulingConfig } from './ruling-config.js';

/** The configurations in force: those that were applied and still have apps here. */
export class Configs {
  /** In the order of their first application. */
  readonly #files = new Map<string, Loaded>();

  /** @param used files that some app here comes from */
  constructor(private readonly used: () => ReadonlySet<string>) {}

  add(loaded: Loaded): void {
    this.#files.set(loaded.config.file, loaded);
  }

  /** As it was applied last, with what was written for it. */
  get(file: string): Loaded | null {
    return this.#files.get(file) ?? null;
  }

  list(): Config[] {
    const used = this.used();
    return [...this.#files.values()].map(({ config }) => config).filter(({ file }) => used.has(file));
  }

  plugins(): string[] {
    return this.list().flatMap((config) => config.plugins);
  }

  /** Whose word counts on the box (limits, pressure, models and more); null: nobody's. Warnings name the others. */
  ruling(): { ruling: Config | null; warnings: string[] } {
    const keys = Object.keys(STANDARD_BOX);
    return rulingConfig(this.list(), STANDARD_BOX, ({ file }) => this.get(file)?.written.isChanged(keys) ?? false);
  }
}
