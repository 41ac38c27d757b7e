import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelDefinition } from '../src/define-model.js';
import { registerCleanup } from '../src/embed/cleanup-hooks.cjs';
import { messageOf } from '../src/errors.js';
import type {
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

/** What is in flight when `unload` comes gets this long; the supervisor drains before it asks. */
const IN_FLIGHT_DEADLINE_MS = 10_000;
/** What the model's own cleanup gets before its resources are closed under it. */
const OWN_CLEANUP_MS = 1500;

/** One model of one worker, wherever it runs: in a process of its own or in a thread. */
export class ModelRunner {
  readonly #batches = new Map<number, Context>();
  #requests = 0;
  #model: unknown;
  #onIdle: (() => void) | null = null;
  #withdrawCleanup: (() => void) | null = null;

  private constructor(
    private readonly definition: ModelDefinition,
    private readonly context: Context,
    private readonly resources: Resources,
  ) {}

  /** Imports, loads and warms up. @throws whatever the module throws. */
  static async load(message: LoadMessage, onContext?: (context: Context) => void): Promise<ModelRunner> {
    const resources = new Resources();
    const context = new Context(message, resources);
    onContext?.(context);
    const runner = new ModelRunner(await importModel(message.module), context, resources);
    runner.#model = await runner.definition.load?.(context);
    await runner.#warmUp();
    runner.#withdrawCleanup = registerCleanup((level) => runner.#cleanup(level), { name: 'cleanup' });
    return runner;
  }

  get info(): ModelInfo {
    return infoOf(this.definition);
  }

  get counts(): Pick<Heartbeat, 'requests' | 'users' | 'inFlight'> {
    return { requests: this.#requests, users: 0, inFlight: this.#batches.size };
  }

  /** Never rejects: what the model throws is an outcome. */
  async predict(batch: number, inputs: unknown[]): Promise<ResultMessage> {
    const context = this.context.forBatch();
    this.#batches.set(batch, context);
    const startedAt = performance.now();
    const outcomes = await this.#outcomes(inputs, context);
    context.end();
    this.#batches.delete(batch);
    this.#requests += inputs.length;
    if (this.#batches.size === 0) this.#onIdle?.();
    return { type: 'result', batch, outcomes, computeMs: performance.now() - startedAt };
  }

  abort(batch: number): void {
    this.#batches.get(batch)?.abort('nobody waits for this prediction any more');
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

  /** Lets what is in flight end, then the model, then its resources. What fails there is printed, and keeps nothing else from ending. */
  async unload(): Promise<void> {
    this.#withdrawCleanup?.();
    await this.#idle();
    for (const context of [this.context, ...this.#batches.values()]) context.abort('the worker ends');
    try {
      await this.definition.unload?.(this.#model);
    } catch (error) {
      this.context.log.error('unload failed:', error);
    }
    await this.resources.closeAll();
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

  async #outcomes(inputs: unknown[], context: Context): Promise<Outcome[]> {
    try {
      return await this.#attempt(inputs, context);
    } catch (error) {
      if (inputs.length === 1 || error instanceof NotAnArray) return inputs.map(() => failed(error));
      return this.#oneByOne(inputs, context);
    }
  }

  async #attempt(inputs: unknown[], context: Context): Promise<Outcome[]> {
    // A copy, since it may be emptied in there and still be needed one by one.
    const outputs: unknown = await this.definition.predict(this.#model, inputs.slice(), context);
    if (!Array.isArray(outputs))
      throw new NotAnArray(`predict returned ${kind(outputs)} instead of an array of outputs`);
    if (outputs.length !== inputs.length)
      throw new Error(`predict returned ${outputs.length} outputs for ${inputs.length} inputs`);
    return Array.from(outputs, (output) => ({ ok: true, output }));
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

class NotAnArray extends Error {
  override readonly name = 'TypeError';
}

export function failed(error: unknown): Outcome {
  return { ok: false, name: error instanceof Error ? error.name : 'Error', message: messageOf(error) };
}
