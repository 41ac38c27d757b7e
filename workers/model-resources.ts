import type { ResourceSpec } from '../src/define-model.js';
import { messageOf } from '../src/errors.js';
import { log } from './model-log.js';

/** One thing that a model opened. */
class Resource {
  /** Ends of the predictions that have it. */
  readonly users = new Set<Promise<void>>();
  readonly opening: Promise<unknown>;
  #closing: Promise<void> | null = null;

  constructor(
    readonly name: string,
    private readonly spec: ResourceSpec<never>,
  ) {
    this.opening = (async () => spec.open())();
  }

  get reopens(): boolean {
    return this.spec.reopens === true;
  }

  takeFor(ended: Promise<void>): void {
    if (this.users.has(ended)) return;
    this.users.add(ended);
    void ended.then(() => this.users.delete(ended));
  }

  /** Once; a second call joins the first. */
  close(): Promise<void> {
    this.#closing ??= this.opening.then(
      async (opened) => void (await this.spec.close?.(opened as never)),
      // It was never open.
      () => {},
    );
    return this.#closing;
  }
}

/** What a model opened through `ctx.resource`. */
export class Resources {
  readonly #open = new Map<string, Resource>();
  /** Given up for memory, and not closed yet. */
  readonly #leaving = new Set<Resource>();

  /** @param ended when the prediction that asks for it is over; null: it is asked for while the model loads */
  open<R>(name: string, spec: ResourceSpec<R>, ended: Promise<void> | null): Promise<R> {
    const resource = this.#open.get(name) ?? this.#opened(name, spec as ResourceSpec<never>);
    if (ended) resource.takeFor(ended);
    return resource.opening as Promise<R>;
  }

  /**
   * Closes those that may be opened again, each as soon as no prediction has it; the next one that asks gets a new one at once.
   * @throws AggregateError of those that did not close
   */
  async closeReopening(): Promise<void> {
    const given = [...this.#open.values()].filter(({ reopens }) => reopens).reverse();
    const errors: Error[] = [];
    await Promise.all(
      given.map(async (resource) => {
        this.#open.delete(resource.name);
        this.#leaving.add(resource);
        await Promise.all(resource.users);
        try {
          await resource.close();
        } catch (error) {
          errors.push(new Error(`closing ${resource.name} failed: ${messageOf(error)}`, { cause: error }));
        }
        this.#leaving.delete(resource);
      }),
    );
    if (errors.length > 0) throw new AggregateError(errors);
  }

  /** In the reverse order; one that does not close keeps none of the others open. Answers with a line for each of those. */
  async closeAll(): Promise<string[]> {
    const errors: string[] = [];
    for (const resource of [...this.#leaving, ...[...this.#open.values()].reverse()]) {
      this.#open.delete(resource.name);
      try {
        await resource.close();
      } catch (error) {
        log.error(`closing ${resource.name} failed:`, error);
        errors.push(`closing ${resource.name} failed: ${messageOf(error)}`);
      }
    }
    return errors;
  }

  #opened(name: string, spec: ResourceSpec<never>): Resource {
    const resource = new Resource(name, spec);
    this.#open.set(name, resource);
    // The next one that asks tries again.
    resource.opening.catch(() => {
      if (this.#open.get(name) === resource) this.#open.delete(name);
    });
    return resource;
  }
}
