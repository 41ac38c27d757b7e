import type { AppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { Pool } from '../pool/pool.js';

/** A typing mistake in a size should not fill the machine. */
const MAX_WORKERS = 512;

export type Size = { to: number } | { by: number };

/** Sizes that an operator fixed with `scale`, by version; null is the version of an app without any. */
export class Pins {
  readonly #sizes: Map<string | null, number>;

  constructor(sizes: ReadonlyMap<string | null, number>) {
    this.#sizes = new Map(sizes);
  }

  get sizes(): ReadonlyMap<string | null, number> {
    return this.#sizes;
  }

  get(version: string | null): number | null {
    return this.#sizes.get(version) ?? null;
  }

  /** @param size null: it follows its policy again */
  set(version: string | null, size: number | null): void {
    if (size === null) this.#sizes.delete(version);
    else this.#sizes.set(version, size);
  }

  clear(): void {
    this.#sizes.clear();
  }
}

/** How many workers that would be. @throws SupError SUP_BAD_REQUEST below the least size, SUP_CONFLICT while it is stopped */
export function targetSize(size: Size | null, pool: Pool, { name, kind, workers: { min, max } }: AppConfig): number {
  const least = kind === 'model' ? 0 : 1;
  const current = pool.desired;
  const auto = Math.min(max, Math.max(min, current));
  const target = size === null ? auto : 'to' in size ? size.to : current + size.by;
  if (pool.phase !== 'running')
    throw new SupError('SUP_CONFLICT', `${pool.name} is stopped; start it first: supervisor start ${pool.name}`, {
      app: name,
    });
  if (target < least || target > MAX_WORKERS)
    throw new SupError(
      'SUP_BAD_REQUEST',
      `${name} has ${current} ${current === 1 ? 'worker' : 'workers'} and can have ${least} to ${MAX_WORKERS}, not ${target}${target === 0 ? `; to end it: supervisor stop ${name}` : ''}`,
      { app: name },
    );
  return target;
}
