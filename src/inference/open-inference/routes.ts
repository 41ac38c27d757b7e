/** The Open Inference Protocol (V2) and the extensions of it that are here. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Gate } from '../../http/host-guard.js';
import type { ModelStatus } from '../../master/model-status.js';
import type { Supervisor } from '../../master/supervisor.js';
import { generateRoutes } from './generate.js';
import { inferRoutes } from './infer.js';
import { type OfModel, ofModel, statusesOf } from './paths.js';
import { repositoryRoutes } from './repository.js';
import { statisticsOf } from './statistics.js';

const NAME = 'model-supervisor';
const EXTENSIONS = [
  'binary_tensor_data',
  'binary_tensor_data(raw_binary_request)',
  'generate',
  'model_repository',
  'schedule_policy',
  'statistics',
];
const AS_MEANT: ReadonlySet<ModelStatus['state']> = new Set(['ready', 'stopped', 'unloaded']);
const PROBE = ['GET', 'HEAD'];

export interface OpenInferenceOptions {
  supervisor: Supervisor;
  /** Lets in who may load and unload models; null: everyone who gets here. */
  guard: Gate | null;
}

export function openInferenceRoutes(app: FastifyInstance, { supervisor, guard }: OpenInferenceOptions): void {
  app.get('/v2', async () => ({ name: NAME, version: supervisor.version, extensions: EXTENSIONS }));
  healthRoutes(app, supervisor);
  for (const path of ofModel('/v2', ''))
    app.get<OfModel>(path, async ({ params: { model, version } }) => {
      const metadata = await supervisor.modelMetadata(model, version ?? null);
      const { name, versions, platform, inputs, outputs } = metadata;
      return { name, versions, platform, inputs, outputs };
    });
  app.get('/v2/models/stats', async () => ({ model_stats: statistics(supervisor.models()) }));
  for (const path of ofModel('/v2', '/stats'))
    app.get<OfModel>(path, async ({ params }) => ({ model_stats: statistics(statusesOf(supervisor, params)) }));
  generateRoutes(app, supervisor);
  // Each in a scope of its own: they read their bodies in another way than the rest.
  app.register(async (scope) => inferRoutes(scope, supervisor));
  app.register(async (scope) => repositoryRoutes(scope, supervisor, guard));
}

function healthRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.route({ method: PROBE, url: '/v2/health/live', handler: async () => ({ live: true }) });
  app.route({
    method: PROBE,
    url: '/v2/health/ready',
    handler: async (_request, reply) => {
      // What is unloaded is loaded by its next request; what is stopped is meant to be.
      const ready = supervisor.models().every(({ state, instances }) => AS_MEANT.has(state) || instances.min === 0);
      if (!ready) notReady(reply);
      return { live: true, ready };
    },
  });
  for (const url of ofModel('/v2', '/ready'))
    app.route<OfModel>({
      method: PROBE,
      url,
      handler: async ({ params }, reply) => {
        const statuses = statusesOf(supervisor, params);
        const status = statuses.find((each) => each.default) ?? (statuses[0] as ModelStatus);
        const ready = status.state === 'ready';
        if (!ready) notReady(reply);
        return {
          name: status.name,
          ready,
          ...(!ready && { error: status.reason ?? `${status.name} is ${status.state}` }),
        };
      },
    });
}

function notReady(reply: FastifyReply): void {
  reply.code(503).header('retry-after', '1');
}

function statistics(statuses: readonly ModelStatus[]) {
  const now = Date.now();
  return statuses.map((status) => statisticsOf(status, now));
}
