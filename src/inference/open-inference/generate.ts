/** The generate extension of the Open Inference Protocol, as Triton describes it: text in, text out, at once or as it comes. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { badRequest } from '../../http/fields.js';
import type { PredictStream, Supervisor } from '../../master/supervisor.js';
import { wanted } from '../addressed.js';
import { sendStream } from '../stream.js';

type InPath = { Params: { model: string; version?: string } };

export function generateRoutes(app: FastifyInstance, supervisor: Supervisor): void {
  for (const path of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
    app.post<InPath>(`${path}/generate`, async (request) => whole(await begin(request, supervisor)));
    app.post<InPath>(`${path}/generate_stream`, async (request, reply) => {
      const stream = await begin(request, supervisor);
      await sendStream(reply, stream, {
        chunk: (chunk) => [null, { ...named(stream), ...outputsOf(chunk) }],
        done: () => null,
        error: (error) => [null, { error: error.message }],
      });
      return reply;
    });
  }
}

/** The request object, whole, is the model's one input: which of its keys there are is between the client and the model. */
function begin(request: FastifyRequest<InPath>, supervisor: Supervisor): Promise<PredictStream> {
  const { model, version = null } = request.params;
  const { body } = request;
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest("the body must be a JSON object, usually with the key 'text_input'");
  return supervisor.stream({
    ...wanted(supervisor, { model, version, priority: 0, timeoutMs: null, user: null }, request),
    input: body,
  });
}

/** One object for all chunks: texts are joined, of anything else the last one counts. */
async function whole(stream: PredictStream): Promise<Record<string, unknown>> {
  let text: string | null = null;
  const outputs: Record<string, unknown> = {};
  for await (const chunk of stream) {
    const part = outputsOf(chunk);
    if (typeof part.text_output === 'string') text = (text ?? '') + part.text_output;
    Object.assign(outputs, part);
  }
  return { ...named(stream), ...outputs, ...(text !== null && { text_output: text }) };
}

/** What the model makes is its `text_output`, unless it names its outputs itself. */
function outputsOf(chunk: unknown): Record<string, unknown> {
  return typeof chunk === 'object' && chunk !== null && !Array.isArray(chunk)
    ? { ...chunk }
    : { text_output: chunk ?? null };
}

function named({ model, version }: PredictStream): { model_name: string; model_version: string } {
  return { model_name: model, model_version: version };
}
