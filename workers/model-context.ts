import { format } from 'node:util';
import type { ModelContext, ModelLog, ResourceSpec } from '../src/define-model.js';
import type { LoadMessage } from '../src/worker/protocol.js';

const log: ModelLog = {
  info: (...values) => void process.stdout.write(`${format(...values)}\n`),
  warn: (...values) => void process.stderr.write(`${format(...values)}\n`),
  error: (...values) => void process.stderr.write(`${format(...values)}\n`),
};

/** What a model opened through `ctx.resource`. */
export class Resources {
  readonly #open = new Map<string, { opening: Promise<unknown>; close: (resource: never) => unknown }>();

  async open<R>(name: string, { open, close }: ResourceSpec<R>): Promise<R> {
    const known = this.#open.get(name);
    if (known) return (await known.opening) as R;
    const opening = (async () => open())();
    this.#open.set(name, { opening, close: close ?? (() => {}) });
    try {
      return await opening;
    } catch (error) {
      this.#open.delete(name);
      throw error;
    }
  }

  /** In the reverse order; one that does not close keeps none of the others open. */
  async closeAll(): Promise<void> {
    for (const [name, { opening, close }] of [...this.#open].reverse()) {
      this.#open.delete(name);
      try {
        await close((await opening) as never);
      } catch (error) {
        log.error(`closing ${name} failed:`, error);
      }
    }
  }
}

/** What a model gets to know. Its `signal` is made when it is asked for: most models never look at it. */
export class Context implements ModelContext {
  readonly log = log;
  #controller: AbortController | null = null;
  #reason: Error | null = null;

  constructor(
    private readonly message: LoadMessage,
    private readonly resources: Resources,
  ) {}

  get app(): string {
    return this.message.app;
  }
  get version(): string {
    return this.message.version;
  }
  get worker(): string {
    return this.message.worker;
  }
  get options(): Readonly<Record<string, unknown>> {
    return this.message.options;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why it was aborted, if it was. */
  get reason(): Error | null {
    return this.#reason;
  }

  readonly resource = <R>(name: string, spec: ResourceSpec<R>): Promise<R> => this.resources.open(name, spec);

  abort(reason: string): void {
    if (this.#reason) return;
    this.#reason = new DOMException(reason, 'AbortError');
    this.#controller?.abort(this.#reason);
  }

  /** One of its own for a batch; not bound to this one, since `AbortSignal.any` on a lasting signal keeps memory in Node 20. */
  forBatch(): Context {
    return new Context(this.message, this.resources);
  }
}
