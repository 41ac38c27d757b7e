/** Models as an autoscaler's users know them: how they do, and scaling, loading and unloading them by name. */
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { SupError } from '../../errors.js';
import { badRequest, objectBody, queryOf, wholeNumber } from '../../http/fields.js';
import type { Gate } from '../../http/host-guard.js';
import type { ModelStatus } from '../../master/model-status.js';
import type { ActReport, Supervisor } from '../../master/supervisor.js';
import { LONGEST_WINDOW_SECONDS } from '../../metrics/model-history.js';
import { reportOrCause } from '../act-report.js';
import { healthReport, metricsReport, statsReport } from '../autoscaler-report.js';

const DEFAULT_WINDOW_SECONDS = 60;
const MAX_INSTANCES = 512;

interface Named {
  name: string;
  version: string | null;
}

/** @param gate asked before anything is changed; null where whoever comes in may change things */
export function autoscalerRoutes(app: FastifyInstance, supervisor: Supervisor, gate: Gate | null): void {
  app.get('/autoscaler/stats', async ({ query }) => {
    queryOf(query, []);
    return statsReport(supervisor.models());
  });

  // 200 also while unhealthy: who asks here wants to know why.
  app.get('/autoscaler/health', async ({ query }) => {
    queryOf(query, []);
    return healthReport(supervisor.models(), supervisor.memory().pressure);
  });

  app.get('/autoscaler/metrics', async ({ query }) => {
    const { window_seconds: given } = queryOf(query, ['window_seconds']);
    const seconds =
      given === undefined ? DEFAULT_WINDOW_SECONDS : wholeNumber('window_seconds', given, 1, LONGEST_WINDOW_SECONDS);
    return metricsReport(supervisor.models(), supervisor.modelWindow(seconds), supervisor.resources());
  });

  const guarded = { onRequest: guard(gate) };

  app.post('/autoscaler/scale', guarded, async (request) => {
    const given = read(request, ['model_name', 'version', 'target_instances']);
    const target = wholeNumber('target_instances', textOf(given.target_instances), 0, MAX_INSTANCES);
    const model = find(supervisor.models(), given);
    const report = reportOrCause(await supervisor.scale(targetOf(model), String(target)));
    return { ...answer(supervisor, model, report), target_instances: target };
  });

  app.post('/autoscaler/load', guarded, (request) => act('load', request));
  app.delete('/autoscaler/unload', guarded, (request) => act('unload', request));

  async function act(verb: 'load' | 'unload', request: FastifyRequest) {
    const model = find(supervisor.models(), read(request, ['model_name', 'version']));
    return answer(supervisor, model, reportOrCause(await supervisor.act(verb, targetOf(model))));
  }
}

/** In onRequest, so that nothing of a refused request is read. */
function guard(gate: Gate | null): onRequestHookHandler {
  return (request, _reply, done) => {
    const refusal = gate?.(request.raw) ?? null;
    if (refusal) done(refusal);
    else done();
  };
}

/** From the body, and what it leaves out from the query. */
function read<K extends string>({ body, query }: FastifyRequest, keys: readonly K[]): Partial<Record<K, unknown>> {
  return { ...queryOf(query, keys), ...objectBody(body, keys) };
}

/** @throws SupError SUP_BAD_REQUEST, SUP_MODEL_NOT_FOUND */
function find(models: readonly ModelStatus[], given: { model_name?: unknown; version?: unknown }): Named {
  const { model_name: name, version = null } = given;
  if (typeof name !== 'string' || name === '') throw badRequest("'model_name' must be the name of a model");
  if (version !== null && (typeof version !== 'string' || version === ''))
    throw badRequest("'version' must be the name of a version");
  const versions = [...new Set(models.filter((model) => model.name === name).map((model) => model.version))];
  if (versions.length === 0) {
    const names = [...new Set(models.map((model) => model.name))];
    const there = names.length > 0 ? `; there are: ${names.join(', ')}` : '; no model is configured';
    throw new SupError('SUP_MODEL_NOT_FOUND', `no model '${name}'${there}`, { model: name });
  }
  if (version !== null && !versions.includes(version))
    throw new SupError(
      'SUP_MODEL_NOT_FOUND',
      `${name} has no version '${version}'; there are: ${versions.join(', ')}. Versions come from the configuration`,
      { model: name, version },
    );
  return { name, version };
}

function targetOf({ name, version }: Named): string {
  return version === null ? name : `${name}@${version}`;
}

function textOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

/** What was named, as it is now. */
function answer(supervisor: Supervisor, { name, version }: Named, { warnings }: ActReport) {
  const models = supervisor
    .models()
    .filter((model) => model.name === name && (version === null || model.version === version));
  return { ok: true, model_name: name, version, models, warnings };
}
