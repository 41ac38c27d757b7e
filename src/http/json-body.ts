/**
 * Request bodies of both servers: JSON and nothing else. Fastify reads and bounds them; what is ours is the wording of the
 * refusals, and that a refused body is read to its end before the answer goes out: a client that is still writing when we
 * answer and close sees EPIPE instead of the answer.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { messageOf, SupError } from '../errors.js';

const MAX_DRAIN_BYTES = 64 * 1024 * 1024;
const MAX_DRAIN_MS = 10_000;

/** JSON.stringify and the serialisation of worker messages are recursive and overflow the stack somewhere above 2,000 levels. */
const MAX_NESTING = 512;

export function installJsonBody(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    // `parseAs` settles which of the two it is; the type does not know.
    const body = text as string;
    if (body.length === 0) return done(null, undefined);
    const refusal = refusalOf(request, body);
    if (refusal) return done(refusal);
    parse(request, body, (error, value) => (error ? done(explain(body)) : done(null, value)));
  });
}

function refusalOf(request: FastifyRequest, body: string): SupError | null {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return new SupError('SUP_UNSUPPORTED_MEDIA_TYPE', 'compressed bodies are not supported: send no Content-Encoding');
  if (body.length > 2 * MAX_NESTING && nestedDeeperThan(body, MAX_NESTING))
    return new SupError('SUP_BAD_REQUEST', `the body is nested deeper than ${MAX_NESTING} levels`);
  return null;
}

/** The parser only says that it failed: either the text is no JSON, or it is and carries a poisonous key. */
function explain(body: string): SupError {
  try {
    JSON.parse(body);
  } catch (error) {
    return invalidJson(error);
  }
  return new SupError('SUP_BAD_REQUEST', "the body has a key '__proto__' or 'constructor.prototype', which is refused");
}

/** @param error what JSON.parse threw */
export function invalidJson(error: unknown): SupError {
  // V8 quotes the text around the fault, which may be long and need not be printable.
  const why = messageOf(error)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200);
  return new SupError('SUP_BAD_REQUEST', `the body is not valid JSON: ${why}`);
}

function nestedDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // a string: jump to its closing quote
        i = endOfString(text, i + 1);
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > limit) return true;
        break;
      case 0x5d:
      case 0x7d:
        depth--;
    }
  }
  return false;
}

function endOfString(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x5c) i++;
    else if (char === 0x22) return i;
  }
  return text.length;
}

/** What Fastify's body errors mean to our users; null for errors that are not about the body. */
export function bodyError(code: string | undefined, limitBytes: number): SupError | null {
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new SupError('SUP_BODY_TOO_LARGE', `the body is over the limit of ${limitBytes} bytes`, {
        limit_bytes: limitBytes,
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new SupError(
        'SUP_UNSUPPORTED_MEDIA_TYPE',
        'only bodies with Content-Type: application/json are read here',
      );
    default:
      return null;
  }
}

/** Reads what is left of a request's body and throws it away. False if that would take too long: the connection must close. */
export function drainBody(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(true);
  return new Promise((resolve) => {
    let seenBytes = 0;
    const finish = (whole: boolean): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onEnd);
      if (!whole) request.pause();
      resolve(whole);
    };
    const onData = (chunk: Buffer): void => {
      seenBytes += chunk.length;
      if (seenBytes > MAX_DRAIN_BYTES) finish(false);
    };
    const onEnd = (): void => finish(true);
    const timer = setTimeout(finish, MAX_DRAIN_MS, false);
    request.on('data', onData).on('end', onEnd).on('close', onEnd).resume();
  });
}
