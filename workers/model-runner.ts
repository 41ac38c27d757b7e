import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelDefinition } from '../src/define-model.js';
import { registerCleanup } from '../src/embed/cleanup-hooks.cjs';
import { messageOf } from '../src/errors.js';
import type {
  ChunkMessage,
  CleanupLevel,
  Heartbeat,
  LoadMessage,
  ModelInfo,
  Outcome,
  ResultMessage,
} from '../src/worker/protocol.js';
import { Context } from './model-context.js';
import { importModel, infoOf, kind } from './model-module.js';
import { Resources } from './model-resources.js';
import type { Shares } from './model-shares.js';
import { ChunkWindow, Collected, isAsyncIterable, pump } from './model-stream.js';

/** What is in flight when `unload` comes gets this long; the supervisor drains before it asks. */
const IN_FLIGHT_DEADLINE_MS = 10_000;
/** What the model's own cleanup gets before its resources are closed under it. */
const OWN_CLEANUP_MS = 1500;

/** One model of one worker, wherever it runs: in a process of its own or in a thread. */
export class ModelRunner {
  readonly #batches = new Map<number, Context>();
  readonly #windows = new Map<number, ChunkWindow>();
  /** Known from the kind of function that `predict` is, or since it first answered with a stream. */
  #streams: boolean;
  #requests = 0;
  #model: unknown;
  #onIdle: (() => void) | null = null;
  #withdrawCleanup: (() => void) | null = null;

  private constructor(
    private readonly definition: ModelDefinition,
    private readonly context: Context,
    private readonly resources: Resources,
    private readonly shares: Shares,
  ) {
    this.#streams = infoOf(definition).streams;
  }

  /** Imports, loads and warms up. @throws whatever the module throws. */
  static async load(
    message: LoadMessage,
    shares: Shares,
    onContext?: (context: Context) => void,
  ): Promise<ModelRunner> {
    const resources = new Resources();
    const context = new Context(message, resources, shares);
    onContext?.(context);
    const runner = new ModelRunner(await importModel(message.module), context, resources, shares);
    runner.#model = await runner.definition.load?.(context);
    await runner.#warmUp();
    runner.#withdrawCleanup = registerCleanup((level) => runner.#cleanup(level), { name: 'cleanup' });
    return runner;
  }

  get info(): ModelInfo {
    return { ...infoOf(this.definition), streams: this.#streams };
  }

  get counts(): Pick<Heartbeat, 'requests' | 'users' | 'inFlight'> {
    return { requests: this.#requests, users: 0, inFlight: this.#batches.size };
  }

  /**
   * Never rejects: what the model throws is an outcome.
   * @param post where the chunks of a streamed answer go; null where it is wanted as a whole
   */
  async predict(
    batch: number,
    inputs: unknown[],
    post: ((message: ChunkMessage) => void) | null = null,
  ): Promise<ResultMessage> {
    const context = this.context.forBatch();
    this.#batches.set(batch, context);
    const startedAt = performance.now();
    const outcomes = post ? await this.#streamed(batch, inputs, context, post) : await this.#outcomes(inputs, context);
    context.end();
    this.#batches.delete(batch);
    this.#requests += inputs.length;
    if (this.#batches.size === 0) this.#onIdle?.();
    return { type: 'result', batch, outcomes, computeMs: performance.now() - startedAt };
  }

  abort(batch: number): void {
    this.#batches.get(batch)?.abort('nobody waits for this prediction any more');
  }

  /** So many more chunks of a stream were read. */
  more(batch: number, chunks: number): void {
    this.#windows.get(batch)?.more(chunks);
  }

  /** Whether it is well. Never counted as a request. @throws what the model throws */
  async check(): Promise<string | null> {
    const context = this.context.forBatch();
    try {
      if (this.definition.health)
        return (await this.definition.health(this.#model, context)) === false ? 'its health is false' : null;
      const [sample] = this.definition.warmup ?? [];
      if (sample !== undefined) await this.#attempt([sample], context);
      return null;
    } finally {
      context.end();
    }
  }

  /**
   * Lets what is in flight end, then the model, its resources and what it shares, and keeps none of them. What fails there is printed, and keeps nothing
   * else from ending: the answer has a line for each.
   */
  async unload(): Promise<string[]> {
    const errors: string[] = [];
    this.#withdrawCleanup?.();
    await this.#idle();
    for (const context of [this.context, ...this.#batches.values()]) context.abort('the worker ends');
    try {
      await this.definition.unload?.(this.#model);
    } catch (error) {
      this.context.log.error('unload failed:', error);
      errors.push(`unload failed: ${messageOf(error)}`);
    }
    errors.push(...(await this.resources.closeAll()));
    errors.push(...(await this.shares.leave()));
    this.#model = undefined;
    return errors;
  }

  async #cleanup(level: CleanupLevel): Promise<void> {
    const errors: unknown[] = [];
    const cleaned = (async () => this.definition.cleanup?.(this.#model, level))().catch((error) => errors.push(error));
    if (level === 'emergency') {
      // The model may still need its resources to clean up; hanging, it keeps none of them open.
      await Promise.race([cleaned, sleep(OWN_CLEANUP_MS, undefined, { ref: false })]);
      await this.resources.closeReopening().catch((error: AggregateError) => errors.push(...error.errors));
    }
    await cleaned;
    if (errors.length > 0) throw new AggregateError(errors);
  }

  /** A model that doesn't stream answers with one chunk. */
  async #streamed(
    batch: number,
    inputs: unknown[],
    context: Context,
    post: (message: ChunkMessage) => void,
  ): Promise<Outcome[]> {
    const window = new ChunkWindow(batch, post);
    this.#windows.set(batch, window);
    try {
      const answer: unknown = await this.definition.predict(this.#model, inputs, context);
      if (isAsyncIterable(answer)) await pump(answer, context, window);
      else for (const output of outputsOf(answer, inputs)) await window.push(output);
      return [{ ok: true, output: null }];
    } catch (error) {
      return [failed(error)];
    } finally {
      this.#windows.delete(batch);
    }
  }

  async #outcomes(inputs: unknown[], context: Context): Promise<Outcome[]> {
    if (this.#streams && inputs.length > 1) return this.#oneByOne(inputs, context);
    try {
      return await this.#attempt(inputs, context);
    } catch (error) {
      if (inputs.length === 1 || error instanceof NotAnArray) return inputs.map(() => failed(error));
      return this.#oneByOne(inputs, context);
    }
  }

  async #attempt(inputs: unknown[], context: Context): Promise<Outcome[]> {
    // A copy, since it may be emptied in there and still be needed one by one.
    const answer: unknown = await this.definition.predict(this.#model, inputs.slice(), context);
    if (isAsyncIterable(answer)) return this.#collected(answer, inputs, context);
    return Array.from(outputsOf(answer, inputs), (output) => ({ ok: true, output }));
  }

  async #collected(answer: AsyncIterable<unknown>, inputs: unknown[], context: Context): Promise<Outcome[]> {
    this.#streams = true;
    if (inputs.length > 1) {
      await answer[Symbol.asyncIterator]().return?.();
      throw new Error('predict answers with a stream, and so takes one input at a time');
    }
    const whole = new Collected();
    await pump(answer, context, whole);
    return [{ ok: true, output: whole.chunks }];
  }

  /** One input made the whole batch fail: the others are answered. */
  async #oneByOne(inputs: unknown[], context: Context): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const input of inputs) {
      try {
        if (context.reason) throw context.reason;
        outcomes.push(...(await this.#attempt([input], context)));
      } catch (error) {
        outcomes.push(failed(error));
      }
    }
    return outcomes;
  }

  async #warmUp(): Promise<void> {
    const samples = [...(this.definition.warmup ?? [])];
    if (samples.length === 0) return;
    const outcomes = await this.#outcomes(samples, this.context);
    const index = outcomes.findIndex((outcome) => !outcome.ok);
    const outcome = outcomes[index];
    if (outcome && !outcome.ok) throw new Error(`warmup input ${index} failed: ${outcome.name}: ${outcome.message}`);
  }

  async #idle(): Promise<void> {
    if (this.#batches.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, IN_FLIGHT_DEADLINE_MS);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** @throws Error where they are not one for each input */
function outputsOf(answer: unknown, inputs: unknown[]): unknown[] {
  if (!Array.isArray(answer)) throw new NotAnArray(`predict returned ${kind(answer)} instead of an array of outputs`);
  if (answer.length !== inputs.length)
    throw new Error(`predict returned ${answer.length} outputs for ${inputs.length} inputs`);
  return answer;
}

class NotAnArray extends Error {
  override readonly name = 'TypeError';
}

export function failed(error: unknown): Outcome {
  return { ok: false, name: error instanceof Error ? error.name : 'Error', message: messageOf(error) };
}
