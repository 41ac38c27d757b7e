/** `POST /predict` and its relatives. The first is the hot path: what happens here happens for every prediction. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SupError } from '../errors.js';
import { badRequest } from '../http/fields.js';
import type { PredictReply, Supervisor } from '../master/supervisor.js';
import { disconnectSignal } from './disconnect.js';
import { headerText, type PredictBody, readPredictBody, userFromHeader } from './request.js';

type InPath = { Params: { model: string; version?: string } };

export function predictRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.post('/predict', (request) => one(readPredictBody(request.body), request));
  app.post('/predict/batch', (request) => many(readPredictBody(request.body), request));
  app.post<InPath>('/predict/:model', (request) => one(addressed(request), request));
  app.post<InPath>('/predict/:model/:version', (request) => one(addressed(request), request));

  async function one(body: PredictBody, request: FastifyRequest) {
    const { model, version, results, timing } = await predict(body, [body.inputs], request);
    const result = results[0];
    if (!result) throw new SupError('SUP_INTERNAL', `${model}@${version} gave no result for one input`);
    if (!result.ok) throw result.error;
    return { model, version, outputs: result.output, cached: false, worker: result.worker, timing };
  }

  async function many(body: PredictBody, request: FastifyRequest) {
    if (!Array.isArray(body.inputs) || body.inputs.length === 0)
      throw badRequest("'inputs' must be an array of at least one input; /predict takes a single one");
    return batchAnswer(await predict(body, body.inputs, request));
  }

  function predict(body: PredictBody, inputs: readonly unknown[], request: FastifyRequest): Promise<PredictReply> {
    const model = body.model ?? supervisor.defaultModel();
    let { user } = body;
    if (user === null) {
      const header = supervisor.userHeader(model);
      if (header !== null) user = userFromHeader(request.headers[header]);
    }
    const sticky = supervisor.routingHeader(model);
    return supervisor.predict({
      model,
      version: body.version,
      inputs,
      priority: body.priority,
      timeoutMs: body.timeoutMs,
      user,
      sticky: sticky === null ? null : headerText(request.headers[sticky]),
      signal: disconnectSignal(request.raw.socket),
    });
  }
}

/** The path's model and version win over the body's. */
function addressed(request: FastifyRequest<InPath>): PredictBody {
  const { model, version } = request.params;
  if (model === 'batch') throw new SupError('SUP_NOT_FOUND', '/predict/batch takes model and version in the body');
  const body = readPredictBody(request.body);
  body.model = model;
  if (version !== undefined) body.version = version;
  return body;
}

/** Inputs fail one by one: null at their places, and why beside it. Where all failed, the first one's error is the answer. */
function batchAnswer({ model, version, results, timing }: PredictReply) {
  const errors: { index: number; code: string; message: string }[] = [];
  const workers = new Set<string>();
  const outputs = results.map((result, index) => {
    if (!result.ok) {
      errors.push({ index, code: result.error.code, message: result.error.message });
      return null;
    }
    workers.add(result.worker);
    return result.output;
  });
  const [first] = results;
  if (errors.length === results.length && first && !first.ok) {
    const { code, message, data } = first.error;
    throw new SupError(code, message, { ...data, errors }, { cause: first.error });
  }
  const [worker = null] = workers;
  return {
    model,
    version,
    outputs,
    cached: false,
    worker,
    workers: [...workers],
    timing,
    ...(errors.length > 0 && { errors }),
  };
}
