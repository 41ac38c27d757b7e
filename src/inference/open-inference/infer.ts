/** `POST …/infer`: tensors in, one prediction (or one for each row), tensors out. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SupError } from '../../errors.js';
import { badRequest } from '../../http/fields.js';
import type { PredictRequest, Supervisor } from '../../master/supervisor.js';
import { wanted } from '../addressed.js';
import { checkDeclaration, checkOutputs, readInputs } from './declared.js';
import { writeAnswer } from './infer-answer.js';
import { readHeaderLength, readInferRequest } from './infer-request.js';
import { outputsOf } from './model-answer.js';
import { inputsOf } from './model-call.js';
import { acceptsBytes, type OfModel } from './paths.js';

/** In a scope of its own, where bodies are read as bytes. */
export function inferRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  acceptsBytes(app);
  for (const path of ['/v2/models/:model/infer', '/v2/models/:model/versions/:version/infer'])
    app.post<OfModel>(path, (request, reply) => infer(request, reply));

  async function infer(http: FastifyRequest<OfModel>, reply: FastifyReply) {
    const { model, version = null } = http.params;
    const length = readHeaderLength(http.headers['inference-header-content-length']);
    const request = readInferRequest((http.body as Buffer | undefined) ?? Buffer.alloc(0), length);
    const { priority, timeoutMs } = request;
    const asked = wanted(supervisor, { model, version, priority, timeoutMs, user: null }, http);
    // Settled before its tensors are read: versions may declare different ones.
    const chosen = supervisor.versionFor(model, version, asked.user);
    const metadata = await supervisor.modelMetadata(model, chosen, { wake: true });
    if (metadata.streams)
      throw badRequest(
        `${model} answers with a stream: POST /v2/models/${model}/generate_stream, or /generate for all of it`,
      );
    checkDeclaration(metadata);
    checkOutputs(request.outputs, metadata);
    const inputs = inputsOf(readInputs(request, metadata), metadata);
    const answers = await predict({ ...asked, version: chosen, inputs });
    const { body, headerLength } = writeAnswer(request, model, chosen, outputsOf(answers, metadata));
    if (headerLength === null) return reply.type('application/json; charset=utf-8').send(body);
    return reply.header('inference-header-content-length', headerLength).type('application/octet-stream').send(body);
  }

  /** The protocol knows no half of an answer: one row that failed fails them all. */
  async function predict(request: PredictRequest): Promise<unknown[]> {
    const { model, version, results } = await supervisor.predict(request);
    if (results.length !== request.inputs.length)
      throw new SupError(
        'SUP_INTERNAL',
        `${model}@${version} gave ${results.length} results for ${request.inputs.length} inputs`,
      );
    return results.map((result) => {
      if (!result.ok) throw result.error;
      return result.output;
    });
  }
}
