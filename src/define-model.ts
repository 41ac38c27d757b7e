/** A tensor of the Open Inference Protocol, as it is declared. */
export interface TensorSpec {
  name: string;
  /** `BYTES`, `FP32`, `INT64`… */
  datatype: string;
  /** -1: any length. */
  shape: readonly number[];
}

export interface ModelLog {
  /** To the worker's standard output. */
  info(...values: unknown[]): void;
  /** To its standard error. */
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
}

export interface ResourceSpec<R> {
  open(): R | Promise<R>;
  close?(resource: R): unknown;
  /**
   * It may be closed when memory runs out, as soon as no prediction in flight has asked for it; the next `ctx.resource` of its name opens
   * it again. For what is asked for in `predict`: what `load` took is closed under it. Default false.
   */
  reopens?: boolean;
}

export interface ShareOptions<T> {
  /**
   * Frees what garbage collection doesn't. Runs in the worker that was the last to hold the value, when that unloads: after its `unload`, and after its
   * resources are closed. Not where that worker dies or is killed, or its load fails; then its memory is gone anyway, or goes with the host.
   */
  dispose?(value: T): unknown;
}

export interface ModelContext {
  readonly app: string;
  readonly version: string;
  /** `intents@v1/3`. */
  readonly worker: string;
  /** The app's `options:` from the configuration, as they are. */
  readonly options: Readonly<Record<string, unknown>>;
  /** In `load`: aborted when the worker has to end. In `predict`: also when nobody waits for this batch any more. */
  readonly signal: AbortSignal;
  /**
   * Opens something that has to be closed before the worker ends. The same name gives the same resource; they are closed in
   * the reverse order of their opening, after `unload`.
   */
  resource<R>(name: string, spec: ResourceSpec<R>): Promise<R>;
  /**
   * What several workers read: loaded once in a host. In a process of its own that is once per worker; threads of one host get a structured
   * clone of what the first of them loaded, in which a SharedArrayBuffer is the very same memory. In one worker the same key gives the same
   * object, and it holds it until it unloads. A loader that throws is that caller's error, and the next one that waits runs its own.
   * @throws Error where the value can't be cloned; names the key
   */
  share<T>(key: string, loader: () => T | Promise<T>, options?: ShareOptions<T>): Promise<T>;
  readonly log: ModelLog;
}

export interface ModelDefinition<Model = unknown, Input = unknown, Output = unknown> {
  platform?: string;
  inputs?: readonly TensorSpec[];
  outputs?: readonly TensorSpec[];
  /** One input is one row of the tensors. */
  rows?: boolean;
  /** Once per worker. What it returns is given to the others; a throw is a failed boot. */
  load?(ctx: ModelContext): Model | Promise<Model>;
  /**
   * Gets an array and answers with an array of the same length, in the same order. An `async *predict`, or one that returns an async iterable,
   * streams: it gets an array of one input, and what it yields are the chunks of that input's answer.
   */
  predict(
    model: Model,
    inputs: Input[],
    ctx: ModelContext,
  ): readonly Output[] | AsyncIterable<Output> | Promise<readonly Output[] | AsyncIterable<Output>>;
  unload?(model: Model): unknown;
  /**
   * Asked to give memory back: `trim` at 80 % of the worker's limit, `emergency` at 95 %, and when the box is short of memory. Predictions
   * go on meanwhile. After 3 s it is not waited for. Hooks of `registerCleanup` run beside it.
   */
  cleanup?(model: Model, level: 'trim' | 'emergency'): unknown;
  /**
   * Asked now and then while no prediction is in flight; `false` or a throw: this worker is not well. Without it the first `warmup` input is
   * run instead.
   */
  health?(model: Model, ctx: ModelContext): unknown;
  /** Sample inputs that run through `predict` before the model is called ready. */
  warmup?: readonly Input[];
}

/** Gives the types; a plain object of this form is a model too. */
export function defineModel<Model, Input = unknown, Output = unknown>(
  definition: ModelDefinition<Model, Input, Output>,
): ModelDefinition<Model, Input, Output> {
  return definition;
}
