/** What a request for a prediction says besides its inputs: which model, for whom, how urgent. */
import type { FastifyRequest } from 'fastify';
import { SupError } from '../errors.js';
import type { PredictRequest, Supervisor } from '../master/supervisor.js';
import { disconnectSignal } from './disconnect.js';
import { type PredictBody, readPredictBody, userFromHeader } from './request.js';

export type InPath = { Params: { model: string; version?: string } };

/** The path's model and version win over the body's. */
export function addressed(request: FastifyRequest<InPath>): PredictBody {
  const { model, version } = request.params;
  if (model === 'batch') throw new SupError('SUP_NOT_FOUND', '/predict/batch takes model and version in the body');
  const body = readPredictBody(request.body);
  body.model = model;
  if (version !== undefined) body.version = version;
  return body;
}

export function wanted(
  supervisor: Supervisor,
  body: Omit<PredictBody, 'inputs'>,
  request: FastifyRequest,
): Omit<PredictRequest, 'inputs'> {
  const model = body.model ?? supervisor.defaultModel();
  let { user } = body;
  if (user === null) {
    const header = supervisor.userHeader(model);
    if (header !== null) user = userFromHeader(request.headers[header]);
  }
  const signal = disconnectSignal(request.raw.socket);
  return { model, version: body.version, priority: body.priority, timeoutMs: body.timeoutMs, user, signal };
}
