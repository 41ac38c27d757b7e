/** What a request for a prediction says besides its inputs: which model, for whom, how urgent. */
import type { FastifyRequest } from 'fastify';
import { SupError } from '../errors.js';
import type { PredictRequest, Supervisor } from '../master/supervisor.js';
import { disconnectSignal } from './disconnect.js';
import { headerText, type PredictBody, readPredictBody, userFromHeader } from './request.js';

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
  const routing = supervisor.routingHeader(model);
  const sticky = routing === null ? null : headerText(request.headers[routing]);
  const { version, priority, timeoutMs } = body;
  return { model, version, priority, timeoutMs, user, sticky, signal: disconnectSignal(request.raw.socket) };
}
