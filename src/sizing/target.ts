/** How an app is asked, and by how many at once. */
import http from 'node:http';
import type { ModelAppConfig } from '../config/schema.js';
import type { Supervisor } from '../master/supervisor.js';
import type { Ask } from './closed-loop.js';
import type { HttpRequest } from './inputs.js';

export interface Target {
  /** New connections for a new size: those that live stay with the worker that took them. */
  connect(clients: number): { ask: Ask; close(): void };
  /** As many clients as keep so many workers busy. */
  clientsFor(workers: number): number;
}

const HTTP_TIMEOUT_MS = 30_000;
/** Programs that wait for others serve many at once. */
const HTTP_CLIENTS_A_WORKER = 16;
/** Most that an answer may wait for its turn while a model is measured: more clients would only queue. */
const MODEL_WAIT_MS = 1000;

/**
 * A model is asked in the process of its own supervisor: what the HTTP listener costs would be taken from the workers.
 * @param serviceMs what one input alone takes
 */
export function modelTarget(
  supervisor: Pick<Supervisor, 'predict'>,
  app: ModelAppConfig,
  version: string,
  inputs: readonly unknown[],
  serviceMs: number,
): Target {
  const ask = askModel(supervisor, app.name, version, inputs);
  return {
    connect: () => ({ ask, close() {} }),
    clientsFor: (workers) => Math.min(app.queue.max, workers * modelClients(app, serviceMs)),
  };
}

export function askModel(
  supervisor: Pick<Supervisor, 'predict'>,
  model: string,
  version: string,
  inputs: readonly unknown[],
): Ask {
  return async (turn) => {
    const { results } = await supervisor.predict({
      model,
      version,
      inputs: [inputs[turn % inputs.length]],
      priority: 0,
      timeoutMs: null,
      user: null,
      sticky: null,
      signal: null,
    });
    const [result] = results;
    return result?.ok === false ? result.error.message : null;
  };
}

/**
 * Two full batches for each slot of a worker, one at work and one waiting. Fewer where that would be a long queue, since batches
 * may take as long as their inputs one by one; never fewer than two requests.
 */
export function modelClients(
  { concurrency, batching, timeoutMs }: Pick<ModelAppConfig, 'concurrency' | 'batching' | 'timeoutMs'>,
  serviceMs: number,
): number {
  const most = 2 * concurrency * batching.maxSize;
  const patient = Math.floor(Math.min(MODEL_WAIT_MS, timeoutMs / 2) / Math.max(serviceMs, 0.001));
  return Math.max(2 * concurrency, Math.min(most, patient));
}

export function httpTarget(host: string, port: number, requests: readonly HttpRequest[]): Target {
  return {
    connect(clients) {
      const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
      return {
        ask: (turn) => askHttp(agent, host, port, requests[turn % requests.length] as HttpRequest),
        close: () => agent.destroy(),
      };
    },
    clientsFor: (workers) => HTTP_CLIENTS_A_WORKER * workers,
  };
}

function askHttp(agent: http.Agent, host: string, port: number, asked: HttpRequest): Promise<string | null> {
  const { method, path, body } = asked;
  const name = `${method} ${path}`;
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve(`${name}: ${error.message}`);
    const headers =
      body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = http.request({ agent, host, port, method, path, headers, timeout: HTTP_TIMEOUT_MS }, (response) => {
      const { statusCode = 0 } = response;
      response.once('error', fail);
      response.once('end', () => resolve(statusCode < 400 ? null : `${name} answered ${statusCode}`));
      response.resume();
    });
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${HTTP_TIMEOUT_MS / 1000} s`)));
    sent.once('error', fail);
    sent.end(body ?? undefined);
  });
}
