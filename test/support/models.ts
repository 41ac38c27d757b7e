import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WorkerRow } from '../../src/master/supervisor.js';
import { type Answer, type Box, request, until } from './box.js';

/** What a test asks the models of a box, and about them. */
export class Models {
  #holds = 0;

  constructor(private readonly box: Box) {}

  /** `model` may be `model/version`. */
  ask(model: string, inputs: unknown, more: Record<string, unknown> = {}, signal?: AbortSignal): Promise<Answer> {
    return request(this.box.inference, 'POST', `/predict/${model}`, { inputs, ...more }, {}, signal);
  }

  async inFlight(model: string): Promise<number> {
    return (await this.box.row(model)).workers.reduce((sum, worker) => sum + worker.in_flight, 0);
  }

  async queued(model: string): Promise<number> {
    return (await this.box.row(model)).queued;
  }

  /** Inputs that keep a worker of turns.mjs busy until they are released. */
  hold(): { input: string; release: () => void } {
    const file = path.join(this.box.dir, `release-${++this.#holds}`);
    return { input: `hold ${file}`, release: () => writeFileSync(file, '') };
  }

  /** Keeps the one worker of a turns.mjs model busy until it is released. */
  async occupy(model: string, more: Record<string, unknown> = {}) {
    const { input, release } = this.hold();
    const answer = this.ask(model, input, more);
    await until(async () => (await this.inFlight(model)) === 1, `${model} to be busy`);
    return { answer, release };
  }

  /** The worker of a model that has one. */
  async worker(model: string): Promise<WorkerRow & { pid: number }> {
    const [worker] = (await this.box.row(model)).workers;
    if (worker?.pid == null) throw new Error(`${model} has no worker with a process`);
    return { ...worker, pid: worker.pid };
  }
}

export function outputsOf<T>({ json }: Answer): T {
  return (json as { outputs: T }).outputs;
}

/** What turns.mjs answers. */
export interface Turn {
  input: string;
  turn: number;
  batch: number;
}

export function codeOf({ json }: Answer): string | undefined {
  return (json as { error?: { code: string } } | undefined)?.error?.code;
}
