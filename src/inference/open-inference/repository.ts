/** The model repository extension: which models there are, and loading and unloading them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type ErrorCode, SupError } from '../../errors.js';
import { badRequest } from '../../http/fields.js';
import type { Gate } from '../../http/host-guard.js';
import { invalidJson } from '../../http/json-body.js';
import type { ModelState, ModelStatus } from '../../master/model-status.js';
import type { ActReport, Supervisor } from '../../master/supervisor.js';
import { acceptsBytes, type OfModel, ofModel, statusesOf } from './paths.js';

const STATES: Readonly<Record<ModelState, string>> = {
  unloaded: 'UNAVAILABLE',
  loading: 'LOADING',
  ready: 'READY',
  unloading: 'UNLOADING',
  failed: 'UNAVAILABLE',
  stopped: 'UNAVAILABLE',
};

/** These say by their status what the client can do about it. */
const PASSED_ON: readonly ErrorCode[] = ['SUP_NO_ROOM', 'SUP_CHURN', 'SUP_CONFLICT'];

/** In a scope of its own, where bodies are read as bytes. `guard` lets in who may change models. */
export function repositoryRoutes(app: FastifyInstance, supervisor: Supervisor, guard: Gate | null): void {
  acceptsBytes(app);

  app.post('/v2/repository/index', async ({ body }) => {
    const { ready = false } = readObject(body);
    if (typeof ready !== 'boolean') throw badRequest("'ready' must be true or false");
    return supervisor
      .models()
      .filter((status) => !ready || status.state === 'ready')
      .map(indexEntry);
  });

  // Before its body is read.
  const onRequest = (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
    done(guard?.(request.raw) ?? undefined);
  };
  for (const verb of ['load', 'unload'] as const)
    for (const path of ofModel('/v2/repository', `/${verb}`))
      app.post<OfModel>(path, { onRequest }, async ({ params, body }) => {
        const version = params.version ?? versionIn(readObject(body));
        // Only what the configuration has, and never a group of apps.
        statusesOf(supervisor, { model: params.model, version });
        const target = version === undefined ? params.model : `${params.model}@${version}`;
        throwIfFailed(await supervisor.act(verb, target), verb);
        return { name: params.model, ...(version !== undefined && { version }), [verb]: true };
      });
}

function indexEntry({ name, version, state, reason }: ModelStatus) {
  return { name, version, state: STATES[state], reason: reason ?? (state === 'ready' ? '' : state) };
}

function readObject(body: unknown): Record<string, unknown> {
  const text = Buffer.isBuffer(body) ? body.toString('utf8').trim() : '';
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidJson(error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('the body must be a JSON object');
  return value as Record<string, unknown>;
}

/** @throws SupError SUP_BAD_REQUEST where the request brings a model of its own */
function versionIn(body: Record<string, unknown>): string | undefined {
  const { parameters = {} } = body;
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    throw badRequest("'parameters' must be a JSON object");
  for (const name of Object.keys(parameters))
    if (name === 'config' || name.startsWith('file:'))
      throw badRequest(
        `the parameter '${name.slice(0, 64)}' is not supported: models come from the configuration only`,
      );
  const { version } = parameters as { version?: unknown };
  if (version === undefined) return undefined;
  if (typeof version !== 'string' && !Number.isSafeInteger(version))
    throw badRequest("the parameter 'version' must be a text");
  return String(version);
}

function throwIfFailed(report: ActReport, verb: string): void {
  if (report.ok) return;
  const error = report.results.find((result) => !result.ok)?.error;
  const message = error?.message ?? `the ${verb} failed`;
  throw new SupError(PASSED_ON.find((code) => code === error?.code) ?? 'SUP_LOAD_FAILED', message);
}
