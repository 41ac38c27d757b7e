/** `POST /predict` and its relatives. The first is the hot path: what happens here happens for every prediction. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, SupError } from '../errors.js';
import { badRequest } from '../http/fields.js';
import type { PredictReply, Supervisor } from '../master/supervisor.js';
import { addressed, type InPath, wanted } from './addressed.js';
import { type PredictBody, readPredictBody } from './request.js';
import { streamRoutes } from './stream.js';

const JSON_TYPE = 'application/json; charset=utf-8';

export function predictRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  app.post('/predict', (request, reply) => one(readPredictBody(request.body), request, reply));
  app.post('/predict/batch', async (request, reply) =>
    reply.header('content-type', JSON_TYPE).send(await many(readPredictBody(request.body), request)),
  );
  app.post<InPath>('/predict/:model', (request, reply) => one(addressed(request), request as FastifyRequest, reply));
  app.post<InPath>('/predict/:model/:version', (request, reply) =>
    one(addressed(request), request as FastifyRequest, reply),
  );
  streamRoutes(app, supervisor);

  /** Callbacks, and a text that is ready: async functions and Fastify's own way to it cost a tenth of the whole prediction. */
  function one(body: PredictBody, request: FastifyRequest, reply: FastifyReply): void {
    const fail = (error: unknown) => void reply.send(error);
    predict(body, [body.inputs], request).then((answer) => {
      try {
        const text = singleAnswer(answer);
        reply.header('content-type', JSON_TYPE).send(text);
      } catch (error) {
        fail(error);
      }
    }, fail);
  }

  async function many(body: PredictBody, request: FastifyRequest) {
    if (!Array.isArray(body.inputs) || body.inputs.length === 0)
      throw badRequest("'inputs' must be an array of at least one input; /predict takes a single one");
    const answer = await predict(body, body.inputs, request);
    try {
      return JSON.stringify(batchAnswer(answer));
    } catch (error) {
      if (error instanceof SupError) throw error;
      return JSON.stringify(batchAnswer(speakable(answer)));
    }
  }

  function predict(body: PredictBody, inputs: readonly unknown[], request: FastifyRequest): Promise<PredictReply> {
    return supervisor.predict({ ...wanted(supervisor, body, request), inputs });
  }
}

function singleAnswer({ model, version, results, timing }: PredictReply): string {
  const result = results[0];
  if (!result) throw new SupError('SUP_INTERNAL', `${model}@${version} gave no result for one input`);
  if (!result.ok) throw result.error;
  const { output: outputs = null, worker } = result;
  try {
    return JSON.stringify({ model, version, outputs, cached: false, worker, timing });
  } catch (error) {
    throw unspeakable(model, version, worker, error);
  }
}

/** A BigInt, or an object that holds itself. */
function unspeakable(model: string, version: string, worker: string, error: unknown): SupError {
  const [why] = messageOf(error).split('\n');
  return new SupError('SUP_MODEL_ERROR', `${model}@${version} gave an output that JSON cannot carry: ${why}`, {
    model,
    worker,
  });
}

/** Each output for itself: the others are answered. */
function speakable({ model, version, results, timing }: PredictReply): PredictReply {
  const spoken = results.map((result) => {
    if (!result.ok) return result;
    try {
      JSON.stringify(result.output);
      return result;
    } catch (error) {
      return { ok: false as const, error: unspeakable(model, version, result.worker, error) };
    }
  });
  return { model, version, results: spoken, timing };
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
