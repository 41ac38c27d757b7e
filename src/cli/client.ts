import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { SupError } from '../errors.js';
import { ReplyError } from './exit.js';

/** For questions that the master answers from memory. Acts have none: a model may load for minutes. */
const QUICK_MS = 10_000;
const MAX_REPLY_BYTES = 256 * 1024 * 1024;

export interface Health {
  status: string;
  version: string;
  pid: number;
  uptime_seconds: number;
}

/** Speaks HTTP with the master over its unix socket. @throws SupError SUP_NO_MASTER, ReplyError */
export class Client {
  constructor(private readonly socketPath: string) {}

  get<T>(path: string): Promise<T> {
    return this.#json<T>('GET', path, undefined, QUICK_MS);
  }

  /** Waits as long as the act takes. */
  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#json<T>('POST', path, body, null);
  }

  /** Waits as long as the change takes. */
  put<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>('PUT', path, body, null);
  }

  /** As `put`. */
  patch<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>('PATCH', path, body, null);
  }

  delete<T>(path: string): Promise<T> {
    return this.#json<T>('DELETE', path, undefined, null);
  }

  health(): Promise<Health> {
    return this.get<Health>('/api/health/');
  }

  /** Health of the master, or null where none answers. */
  async probe(): Promise<Health | null> {
    try {
      return await this.health();
    } catch (error) {
      if (error instanceof SupError && error.code === 'SUP_NO_MASTER') return null;
      throw error;
    }
  }

  /** An answer that is read while it comes, such as server-sent events. */
  async stream(path: string): Promise<IncomingMessage> {
    return this.#streamed(await this.#open('GET', path, undefined, QUICK_MS));
  }

  /** As `stream`; waits for its beginning as long as it takes. */
  async postStream(path: string, body: unknown): Promise<IncomingMessage> {
    return this.#streamed(await this.#open('POST', path, body, null));
  }

  async #streamed(response: IncomingMessage): Promise<IncomingMessage> {
    if (response.statusCode === 200) return response;
    throw replyError(response.statusCode ?? 0, await textOf(response));
  }

  async #json<T>(method: string, path: string, body: unknown, timeoutMs: number | null): Promise<T> {
    const response = await this.#open(method, path, body, timeoutMs);
    const status = response.statusCode ?? 0;
    const text = await textOf(response);
    if (status < 200 || status > 299) throw replyError(status, text);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new SupError('SUP_INTERNAL', `the master's answer to ${method} ${path} is no JSON`, {}, { cause: error });
    }
  }

  #open(method: string, path: string, body: unknown, timeoutMs: number | null): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined
          ? { 'content-length': '0' }
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
      const sent: ClientRequest = request({
        socketPath: this.socketPath,
        // Without this a GET would carry a length of 0, which some servers take for a body.
        headers: method === 'GET' ? {} : headers,
        method,
        path,
        agent: false,
      });
      sent.once('response', (response) => {
        if (timeoutMs !== null) sent.setTimeout(0);
        resolve(response);
      });
      sent.once('error', (error: NodeJS.ErrnoException) => reject(connectionError(error, this.socketPath)));
      if (timeoutMs !== null)
        sent.setTimeout(timeoutMs, () => {
          sent.destroy();
          reject(new SupError('SUP_DEADLINE', `the master did not answer within ${timeoutMs / 1000} s`));
        });
      sent.end(text);
    });
  }
}

const GONE = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR']);

function connectionError(error: NodeJS.ErrnoException, socketPath: string): SupError {
  if (GONE.has(error.code ?? ''))
    return new SupError(
      'SUP_NO_MASTER',
      'no master is running; start one with: supervisor start',
      {},
      { cause: error },
    );
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return new SupError('SUP_FORBIDDEN', `the master behind ${socketPath} is another user's`, {}, { cause: error });
  return new SupError(
    'SUP_INTERNAL',
    `the master went away before it answered (${error.message})`,
    {},
    { cause: error },
  );
}

/** The error that an answer, or an event of a stream, carries. */
export function replyError(status: number, text: string): ReplyError {
  try {
    const { error } = JSON.parse(text) as { error: Record<string, unknown> & { code?: string; message?: string } };
    return new ReplyError(status, error.code ?? '', error.message ?? `the master answered ${status}`, error);
  } catch {
    // Not one of ours: whatever listens there, its first words are the best explanation.
    return new ReplyError(status, '', `the master answered ${status}: ${text.slice(0, 200)}`, {});
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_REPLY_BYTES) throw new SupError('SUP_INTERNAL', 'the answer is too long to read');
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof SupError) throw error;
    throw new SupError('SUP_INTERNAL', 'the master went away in the middle of its answer', {}, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}
