/**
 * How errors leave: `{"error": {code, message, …}}`, under /v2 `{"error": message}`, as the Open Inference Protocol has it. Never a
 * stack, never the text of an error that is not ours.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SupError } from '../errors.js';

export function errorHeaders(error: SupError): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  };
  const exact = error.data.retry_after_seconds;
  const retryAfter = typeof exact === 'number' ? Math.max(1, Math.ceil(exact)) : error.retryAfter;
  if (retryAfter !== null) headers['retry-after'] = String(retryAfter);
  if (error.status === 401) headers['www-authenticate'] = 'Bearer realm="supervisor"';
  return headers;
}

/** @param url as the request has it */
export function errorBody(url: string | undefined, error: SupError): object {
  return /^\/v2(?:[/?]|$)/.test(url ?? '') ? { error: error.message } : error.toJSON();
}

/** For requests that are refused before Fastify sees them. Node reads and drops the rest of the body by itself. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: SupError): void {
  const body = JSON.stringify(errorBody(request.url, error));
  response.writeHead(error.status, { ...errorHeaders(error), 'content-length': Buffer.byteLength(body) }).end(body);
}

const BROKEN_REQUEST: Record<string, [status: string, message: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the request headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request was not received in time'],
};

/** For bytes that are no HTTP request at all. */
export function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const [status, message] = BROKEN_REQUEST[error.code ?? ''] ?? [
      '400 Bad Request',
      'this is not a valid HTTP request',
    ];
    const body = JSON.stringify(new SupError('SUP_BAD_REQUEST', message));
    socket.write(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  socket.destroy();
}
