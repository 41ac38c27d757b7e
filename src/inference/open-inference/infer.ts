/** `POST …/infer`: tensors in, one prediction (or one for each row), tensors out. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SupError } from '../../errors.js';
import { badRequest } from '../../http/fields.js';
import type { ModelMetadata } from '../../master/model-status.js';
import type { Supervisor } from '../../master/supervisor.js';
import { disconnectSignal } from '../disconnect.js';
import { headerText, userFromHeader } from '../request.js';
import { checkDeclaration, checkOutputs, readInputs } from './declared.js';
import { writeAnswer } from './infer-answer.js';
import { type InferRequest, readHeaderLength, readInferRequest } from './infer-request.js';
import { outputsOf } from './model-answer.js';
import { inputsOf } from './model-call.js';
import { acceptsBytes, type OfModel } from './paths.js';

/** In a scope of its own, where bodies are read as bytes. */
export function inferRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  acceptsBytes(app);
  for (const path of ['/v2/models/:model/infer', '/v2/models/:model/versions/:version/infer'])
    app.post<OfModel>(path, (request, reply) => infer(request, reply));

  async function infer(http: FastifyRequest<OfModel>, reply: FastifyReply) {
    const { model, version } = http.params;
    const length = readHeaderLength(http.headers['inference-header-content-length']);
    const request = readInferRequest((http.body as Buffer | undefined) ?? Buffer.alloc(0), length);
    // Settled before its tensors are read: versions may declare different ones.
    const user = userOf(http, model);
    const chosen = supervisor.versionFor(model, version ?? null, user);
    const metadata = await supervisor.modelMetadata(model, chosen, { wake: true });
    if (metadata.streams)
      throw badRequest(
        `${model} answers with a stream: POST /v2/models/${model}/generate_stream, or /generate for all of it`,
      );
    checkDeclaration(metadata);
    checkOutputs(request.outputs, metadata);
    const inputs = inputsOf(readInputs(request, metadata), metadata);
    const { body, headerLength } = writeAnswer(
      request,
      model,
      chosen,
      await predict(http, request, metadata, inputs, user),
    );
    if (headerLength === null) return reply.type('application/json; charset=utf-8').send(body);
    return reply.header('inference-header-content-length', headerLength).type('application/octet-stream').send(body);
  }

  function userOf(http: FastifyRequest, model: string): string | null {
    const header = supervisor.userHeader(model);
    return header === null ? null : userFromHeader(http.headers[header]);
  }

  async function predict(
    http: FastifyRequest,
    { priority, timeoutMs }: InferRequest,
    metadata: ModelMetadata,
    inputs: readonly unknown[],
    user: string | null,
  ) {
    const { name: model, version } = metadata;
    const routing = supervisor.routingHeader(model);
    const { results } = await supervisor.predict({
      model,
      version,
      inputs,
      priority,
      timeoutMs,
      user,
      sticky: routing === null ? null : headerText(http.headers[routing]),
      signal: disconnectSignal(http.raw.socket),
    });
    // The protocol knows no half of an answer: one row that failed fails them all.
    const answers = results.map((result) => {
      if (!result.ok) throw result.error;
      return result.output;
    });
    if (answers.length !== inputs.length)
      throw new SupError(
        'SUP_INTERNAL',
        `${model}@${version} gave ${answers.length} results for ${inputs.length} inputs`,
      );
    return outputsOf(answers, metadata);
  }
}
