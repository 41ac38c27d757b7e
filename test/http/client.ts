import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape are looked into by the tests
  json: any;
}

export interface Call extends RequestOptions {
  /** The address of a listening server. */
  at: string;
  body?: string | Buffer | undefined;
  /** Sent as JSON with its content type. */
  json?: unknown;
}

export function target(at: string): RequestOptions {
  if (at.startsWith('/')) return { socketPath: at };
  const url = new URL(at);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port };
}

export async function call({ at, body, json, headers, ...options }: Call): Promise<Answer> {
  const payload = json === undefined ? body : JSON.stringify(json);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({
      agent: false,
      ...target(at),
      headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...options,
    })
      .on('response', resolve)
      .on('error', reject)
      .end(payload);
  });
  const text = await textOf(response);
  const isJson = response.headers['content-type']?.startsWith('application/json') && text !== '';
  return { status: response.statusCode ?? 0, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export interface SentEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  data: any;
}

/** An open stream of server-sent events; `next()` waits for one, null is the end of the stream. A plain `data:` line is a `message`. */
export async function openEvents({
  at,
  json,
  body,
  headers,
  ...options
}: Call): Promise<{ next(): Promise<SentEvent | null>; response: IncomingMessage }> {
  const payload = json === undefined ? body : JSON.stringify(json);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({
      agent: false,
      ...target(at),
      headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...options,
    })
      .on('response', resolve)
      .on('error', reject)
      .end(payload);
  });
  const events = parse(response);
  return { response, next: async () => (await events.next()).value ?? null };
}

async function* parse(response: IncomingMessage): AsyncGenerator<SentEvent> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message';
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}
