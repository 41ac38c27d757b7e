/** What the routes under /v2 share: paths, bodies and the form of their errors. */
import type { FastifyInstance } from 'fastify';
import { SupError } from '../../errors.js';
import type { ModelStatus } from '../../master/model-status.js';
import type { Supervisor } from '../../master/supervisor.js';

export type OfModel = { Params: { model: string; version?: string } };

/** `/v2/models/m/ready` and `/v2/models/m/versions/v/ready`. */
export function ofModel(prefix: string, last: string): string[] {
  return [`${prefix}/models/:model${last}`, `${prefix}/models/:model/versions/:version${last}`];
}

/** @throws SupError SUP_MODEL_NOT_FOUND */
export function statusesOf(supervisor: Supervisor, { model, version }: OfModel['Params']): ModelStatus[] {
  const all = supervisor.models();
  const versions = all.filter((status) => status.name === model);
  if (versions.length === 0) throw notFound(`no model '${model}'`, [...new Set(all.map(({ name }) => name))]);
  const found = version === undefined ? versions : versions.filter((status) => status.version === version);
  if (found.length > 0) return found;
  throw notFound(
    `${model} has no version '${version}'`,
    versions.map((status) => status.version),
  );
}

function notFound(what: string, there: readonly string[]): SupError {
  return new SupError('SUP_MODEL_NOT_FOUND', there.length === 0 ? what : `${what}; there are: ${there.join(', ')}`);
}

/**
 * Bodies as bytes, JSON or with binary data behind it. Clients of this protocol send either under any of these types, or under none.
 * Made for a scope: it leaves the parsers of its parents alone.
 */
export function acceptsBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const { 'content-type': type, 'content-encoding': encoding } = request.headers;
    if (encoding !== undefined && encoding !== 'identity')
      return done(unsupported('compressed bodies: send no Content-Encoding'));
    if (type !== undefined && !/^application\/(?:json|octet-stream) *(?:;|$)/i.test(type))
      return done(unsupported('bodies that are neither application/json nor application/octet-stream'));
    done(null, body);
  });
}

function unsupported(what: string): SupError {
  return new SupError('SUP_UNSUPPORTED_MEDIA_TYPE', `not supported here: ${what}`);
}
