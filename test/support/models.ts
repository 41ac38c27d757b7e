import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ModelStatus } from '../../src/master/model-status.js';
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

  async status(name: string, version?: string): Promise<ModelStatus> {
    const { models } = (await this.box.api('GET', '/autoscaler/stats')).json as { models: ModelStatus[] };
    const found = models.find((each) => each.name === name && (version === undefined || each.version === version));
    if (!found) throw new Error(`no model ${name} ${version ?? ''} in the stats`);
    return found;
  }

  async all(): Promise<ModelStatus[]> {
    return ((await this.box.api('GET', '/autoscaler/stats')).json as { models: ModelStatus[] }).models;
  }

  /** Over HTTP: cheaper than the command. @throws Error unless it was done */
  async act(verb: string, target: string, body?: unknown): Promise<void> {
    const answer = await this.tryTo(verb, target, body);
    if (answer.status !== 200) throw new Error(`${verb} ${target}: ${answer.status} ${answer.text}`);
  }

  tryTo(verb: string, target: string, body?: unknown): Promise<Answer> {
    return this.box.api('POST', `/api/apps/${target}/${verb}`, body);
  }

  async pids(name: string, version?: string): Promise<(number | null)[]> {
    return (await this.box.row(name, version)).workers.map((worker) => worker.pid);
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

export function versionOf({ json }: Answer): string | undefined {
  return (json as { version?: string } | undefined)?.version;
}

export function codeOf({ json }: Answer): string | undefined {
  return (json as { error?: { code: string } } | undefined)?.error?.code;
}
