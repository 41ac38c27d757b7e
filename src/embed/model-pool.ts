import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../clock.js';
import { SupError } from '../errors.js';
import { Acts } from '../master/acts.js';
import { Core } from '../master/core.js';
import { healthOf } from '../master/health.js';
import type {
  ActReport,
  AppRow,
  Decision,
  LogLine,
  ModelStatus,
  PredictReply,
  PredictStream,
  Supervisor,
  SupervisorEvent,
} from '../master/supervisor.js';
import { type ModelPoolOptions, readPoolOptions } from './pool-options.js';
import { type Ask, type AskOptions, isAsk, readAsk } from './pool-request.js';

export interface PoolStats {
  pressure: 'low' | 'medium' | 'high' | 'critical';
  /** Of the program and all workers; null before the first sample. */
  memory_bytes: number | null;
  limit_bytes: number | null;
  /** In use on all GPUs, by whomever; null where there is none. */
  gpu_memory_bytes: number | null;
  models: ModelStatus[];
}

/** Models in workers of this program. `target`: a model, or `model@version`; a pool of one model needs none. */
export interface ModelPool extends AsyncDisposable {
  /** The output for one input. @throws SupError */
  predict<Output = unknown>(input: unknown, options?: AskOptions): Promise<Output>;
  predict<Output = unknown>(request: Ask): Promise<Output>;
  /** Several inputs at once; each has its own result, in order. @throws SupError SUP_MODEL_NOT_FOUND, SUP_BAD_REQUEST */
  predictBatch(inputs: readonly unknown[], options?: AskOptions): Promise<PredictReply>;
  /** The answer in chunks, as the model makes them; leaving the loop ends the prediction. */
  stream<Chunk = unknown>(input: unknown, options?: AskOptions): AsyncIterableIterator<Chunk>;
  /** Fixes the number of workers: 3, '+1', '-1'; 'auto' lets it follow the load again. @throws SupError */
  scale(size: number | string): Promise<void>;
  scale(target: string, size: number | string): Promise<void>;
  /** Resolves when it is ready. @throws SupError why it is not */
  load(target?: string): Promise<void>;
  /** Gives its memory back; the next prediction loads it again. @throws SupError SUP_CONFLICT while it loads */
  unload(target?: string): Promise<void>;
  /** Replaces its workers by fresh ones. @throws SupError */
  recycle(target?: string): Promise<void>;
  /** One row for each version of each model. */
  list(): AppRow[];
  stats(): PoolStats;
  health(): ReturnType<Supervisor['health']>;
  /** What was done without being asked, and why. Newest last. */
  decisions(filter?: { policy?: string; subject?: string; limit?: number }): Decision[];
  onEvent(listener: (event: SupervisorEvent) => void): () => void;
  /** Finishes what was asked for (up to `stop.grace`), then ends all workers. A second call joins the first. */
  close(): Promise<void>;
}

/** @throws SupError SUP_CONFIG_INVALID, or why a model did not start; then nothing is left running */
export async function openModelPool(options: ModelPoolOptions): Promise<ModelPool> {
  const loaded = readPoolOptions(options);
  const log = options.log === undefined ? toStderr : options.log;
  const pool = new EmbeddedPool(loaded.config, log);
  for (const text of loaded.warnings) pool.warn(text);
  try {
    await pool.started;
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}

type Loaded = ReturnType<typeof readPoolOptions>;

class EmbeddedPool implements ModelPool {
  readonly started: Promise<void>;
  readonly #core: Core;
  readonly #acts: Acts;
  /** What somebody waits for. */
  readonly #asked = new Set<Promise<unknown>>();
  readonly #graceMs: number;
  #closing: Promise<void> | null = null;

  constructor(
    config: Loaded['config'],
    private readonly log: ((line: LogLine) => void) | null,
  ) {
    const core = new Core({
      clock: systemClock,
      home: null,
      logsDir: null,
      pins: {},
      learned: {},
      learn: () => {},
      warn: (text) => this.warn(text),
    });
    this.#core = core;
    this.#graceMs = Math.max(0, ...config.apps.map((app) => app.stop.graceMs));
    this.#acts = new Acts({
      registry: core.registry,
      // There is no file: what it has was given by the program.
      files: { read: noFile, current: (file) => file },
      open: async () => [],
      configured: () => {},
      changed: () => {},
      measure: () => core.observation.sampling.refresh(),
    });
    core.configure(config);
    core.predictions.defaultModel = config.inference.defaultModel;
    const applied = core.registry.apply(config, { roll: false });
    if (log) for (const { entry } of applied) entry.log.follow(log, { everyLine: true });
    this.started = firstFailure(applied.map(({ done }) => done));
  }

  async predict<Output>(input: unknown, options?: AskOptions): Promise<Output> {
    // Two arguments leave no doubt about which is the input.
    const { inputs, ...rest } = options === undefined && isAsk(input) ? input : { inputs: input, ...options };
    const { model, version, results } = await this.predictBatch([inputs], rest);
    const [result] = results;
    if (!result) throw new SupError('SUP_INTERNAL', `${model}@${version} gave no result for one input`);
    if (!result.ok) throw result.error;
    return result.output as Output;
  }

  async predictBatch(inputs: readonly unknown[], options: AskOptions = {}): Promise<PredictReply> {
    this.#refuseWhenClosed();
    if (!Array.isArray(inputs)) throw new SupError('SUP_BAD_REQUEST', 'inputs must be an array; predict takes one');
    return this.#track(this.#core.predictions.predict({ ...readAsk(options), inputs }));
  }

  stream<Chunk>(input: unknown, options: AskOptions = {}): AsyncIterableIterator<Chunk> {
    // Not an async generator: its `return` would wait for the chunk that is asked for.
    let stream: Promise<PredictStream> | null = null;
    const begin = async () => {
      this.#refuseWhenClosed();
      return this.#core.predictions.stream({ ...readAsk(options), input });
    };
    const next = async () => {
      stream ??= begin();
      return (await (await stream).next()) as IteratorResult<Chunk>;
    };
    return {
      next: () => this.#track(next()),
      async return() {
        await (await stream)?.return();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async scale(...args: [number | string] | [string, number | string]): Promise<void> {
    const [target, size] = args.length === 2 ? args : [this.#default(), args[0]];
    this.#refuseWhenClosed();
    check(await this.#acts.scale(target, String(size)));
  }

  load(target?: string): Promise<void> {
    return this.#act('load', target);
  }

  unload(target?: string): Promise<void> {
    return this.#act('unload', target);
  }

  recycle(target?: string): Promise<void> {
    return this.#act('recycle', target);
  }

  list(): AppRow[] {
    return this.#core.registry.apps.flatMap((app) => app.rows());
  }

  stats(): PoolStats {
    const { box } = this.#core.observation;
    const { pressure, used_bytes, limit_bytes } = box.status();
    const gpus = box.snapshot?.machine.gpus ?? null;
    return {
      pressure,
      memory_bytes: used_bytes,
      limit_bytes,
      gpu_memory_bytes: gpus?.reduce((sum, gpu) => sum + gpu.usedBytes, 0) ?? null,
      models: this.#core.runtime.status(),
    };
  }

  health(): ReturnType<Supervisor['health']> {
    return healthOf(this.#core.registry.apps);
  }

  decisions(filter: Parameters<ModelPool['decisions']>[0] = {}): Decision[] {
    return this.#core.decisions.list(filter);
  }

  onEvent(listener: (event: SupervisorEvent) => void): () => void {
    return this.#core.events.on(listener);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      // What waits in a queue has been asked for as well as what is in flight.
      const enough = new AbortController();
      const late = sleep(this.#graceMs, undefined, { signal: enough.signal }).catch(() => {});
      await Promise.race([Promise.allSettled(this.#asked), late]);
      enough.abort();
      await this.#core.stop();
      await this.#core.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  warn(line: string): void {
    const time = new Date(systemClock.wall()).toISOString();
    this.log?.({ time, app: 'pool', worker: 'pool', stream: 'supervisor', line });
  }

  async #act(verb: 'load' | 'unload' | 'recycle', target = this.#default()): Promise<void> {
    this.#refuseWhenClosed();
    check(await this.#acts.act(verb, target));
  }

  #track<T>(asked: Promise<T>): Promise<T> {
    this.#asked.add(asked);
    const forget = () => this.#asked.delete(asked);
    asked.then(forget, forget);
    return asked;
  }

  #default(): string {
    return this.#core.predictions.nameOfDefault();
  }

  #refuseWhenClosed(): void {
    if (this.#closing) throw new SupError('SUP_SHUTTING_DOWN', 'the pool is closed');
  }
}

/** Waits for all of them: what goes on starting can't be ended in peace. */
async function firstFailure(starts: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(starts)).find((start) => start.status === 'rejected');
  if (failed) throw failed.reason;
}

/** @throws SupError the first failure of an act */
function check({ results }: ActReport): void {
  const failed = results.find((result) => !result.ok);
  if (failed?.error) throw new SupError(failed.error.code as SupError['code'], failed.error.message, { results });
}

function toStderr({ worker, line }: LogLine): void {
  process.stderr.write(`${worker} | ${line}\n`);
}

function noFile(): never {
  throw new SupError('SUP_BAD_REQUEST', 'a pool has no configuration file');
}
