import type { ModelContext, ResourceSpec, ShareOptions } from '../src/define-model.js';
import type { LoadMessage } from '../src/worker/protocol.js';
import { log } from './model-log.js';
import type { Resources } from './model-resources.js';
import type { Shares } from './model-shares.js';

/** What a model gets to know. Its `signal` is made when it is asked for: most models never look at it. */
export class Context implements ModelContext {
  readonly log = log;
  #controller: AbortController | null = null;
  #reason: Error | null = null;
  #onAbort: (() => void) | null = null;
  /** Of a batch; made when it is asked for, as the signal is. */
  #ended: { promise: Promise<void>; resolve: () => void } | null = null;

  /** @param scope what it is about: the worker's whole life, or one batch */
  constructor(
    private readonly message: LoadMessage,
    private readonly resources: Resources,
    private readonly shares: Shares,
    private readonly scope: 'worker' | 'batch' = 'worker',
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

  readonly resource = <R>(name: string, spec: ResourceSpec<R>): Promise<R> =>
    this.resources.open(name, spec, this.scope === 'batch' ? this.#whenEnded() : null);

  readonly share = <T>(key: string, loader: () => T | Promise<T>, options?: ShareOptions<T>): Promise<T> =>
    this.shares.share(key, loader, options);

  abort(reason: string): void {
    if (this.#reason) return;
    this.#reason = new DOMException(reason, 'AbortError');
    this.#controller?.abort(this.#reason);
    this.#onAbort?.();
  }

  /** One callback, after the model's own listeners; at once if it was aborted before. */
  whenAborted(callback: () => void): void {
    this.#onAbort = callback;
    if (this.#reason) callback();
  }

  /** The batch is over: it holds no resource any more. */
  end(): void {
    this.#ended?.resolve();
  }

  /** One of its own for a batch; not bound to this one, since `AbortSignal.any` on a lasting signal keeps memory in Node 20. */
  forBatch(): Context {
    return new Context(this.message, this.resources, this.shares, 'batch');
  }

  #whenEnded(): Promise<void> {
    if (!this.#ended) {
      let resolve!: () => void;
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#ended = { promise, resolve };
    }
    return this.#ended.promise;
  }
}
