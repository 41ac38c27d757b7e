import { request } from 'node:http';
import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ListeningServer } from '../../src/http/listen.js';
import { listenInference } from '../../src/inference/server.js';
import { type Answer, call, target } from './client.js';
import { type FakeSupervisor, fakeSupervisor } from './fake-supervisor.js';

const LIMIT_BYTES = 64 * 1024;

let server: ListeningServer;
let supervisor: FakeSupervisor;
const open = async (): Promise<void> => {
  supervisor = fakeSupervisor();
  server = await listenInference({
    supervisor,
    host: '127.0.0.1',
    port: 0,
    auth: 'none',
    token: () => '',
    maxBodyBytes: LIMIT_BYTES,
    allowedHosts: [],
  });
};
afterEach(() => server.close());

const post = (body: string | Buffer | undefined, headers: Record<string, string>): Promise<Answer> =>
  call({ at: server.address, method: 'POST', path: '/predict', body, headers });
const json = { 'content-type': 'application/json' };

describe('bodies', () => {
  it.each([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['no content type', {}],
    ['something that only begins like JSON', { 'content-type': 'application/jsonx' }],
    ['a broken content type', { 'content-type': ';;' }],
    ['a compressed body', { ...json, 'content-encoding': 'gzip' }],
  ])('refuses %s with 415', async (_name, headers) => {
    await open();
    const answer = await post('{"inputs":1}', headers as Record<string, string>);
    expect(answer.status).toBe(415);
    expect(answer.json.error.code).toBe('SUP_UNSUPPORTED_MEDIA_TYPE');
    expect(supervisor.predictions).toEqual([]);
  });

  it.each(['application/json', 'Application/JSON', 'application/json; charset=utf-8'])('takes %s', async (type) => {
    await open();
    expect((await post('{"inputs":"ü"}', { 'content-type': type })).json.outputs).toBe('ü');
  });

  it.each([
    ['malformed JSON', '{"inputs": nope}', /not valid JSON/],
    ['half of a body', '{"inputs": [1, 2', /not valid JSON/],
    ['__proto__', '{"inputs": {"__proto__": {"polluted": 1}}}', /__proto__/],
    ['an escaped __proto__', '{"inputs": {"\\u005f_proto__": {"polluted": 1}}}', /__proto__/],
    ['constructor.prototype', '{"inputs": {"constructor": {"prototype": {"x": 1}}}}', /prototype/],
    ['too deep nesting', `{"inputs": ${'['.repeat(600)}${']'.repeat(600)}}`, /nested/],
  ])('refuses %s with 400', async (_name, body, message) => {
    await open();
    const answer = await post(body, json);
    expect(answer.status).toBe(400);
    expect(answer.json.error).toMatchObject({ code: 'SUP_BAD_REQUEST', message: expect.stringMatching(message) });
  });

  it('counts brackets in strings as text', async () => {
    await open();
    const text = '[{"\\'.repeat(1000);
    expect((await post(JSON.stringify({ inputs: text }), json)).json.outputs).toBe(text);
  });

  it('says what is wrong where a body is missing', async () => {
    await open();
    expect((await post(undefined, {})).json.error.message).toMatch(/inputs/);
    expect((await post('', json)).status).toBe(400);
  });

  it('answers and keeps the connection after a body over the limit', async () => {
    await open();
    const answer = await post(Buffer.alloc(LIMIT_BYTES + 1), { ...json, connection: 'keep-alive' });
    expect(answer.status).toBe(413);
    expect(answer.headers.connection).toBe('keep-alive');
    expect(answer.json.error).toMatchObject({ code: 'SUP_BODY_TOO_LARGE', limit_bytes: LIMIT_BYTES });
  });

  it('takes a body of exactly the limit', async () => {
    await open();
    const body = JSON.stringify({ inputs: '' });
    const answer = await post(JSON.stringify({ inputs: 'x'.repeat(LIMIT_BYTES - body.length) }), json);
    expect(answer.status).toBe(200);
  });

  // Clients that write everything before they read: the ones that see EPIPE when a server answers and closes early.
  it.each(['content-length', 'chunked'])('lets 50 of 50 clients see the 413, %s', async (framing) => {
    await open();
    const answers = await Promise.all(Array.from({ length: 50 }, () => writeThenRead(framing === 'chunked')));
    expect(answers.filter((status) => status === 'HTTP/1.1 413 Payload Too Large')).toHaveLength(50);
  });

  it.each(['content-length', 'chunked'])('lets 50 of 50 node:http clients see the 413, %s', async (framing) => {
    await open();
    const size = 4 * 1024 * 1024;
    const headers = framing === 'chunked' ? json : { ...json, 'content-length': String(size) };
    const statuses = await Promise.all(
      Array.from(
        { length: 50 },
        () =>
          new Promise((resolve) => {
            const client = request({
              ...target(server.address),
              agent: false,
              method: 'POST',
              path: '/predict',
              headers,
            });
            client.on('response', (response) => resolve(response.resume().statusCode)).on('error', resolve);
            for (let i = 0; i < 4; i++) client.write(Buffer.alloc(size / 4));
            client.end();
          }),
      ),
    );
    expect(statuses.filter((status) => status === 413)).toHaveLength(50);
  });
});

function writeThenRead(chunked: boolean): Promise<string> {
  // More than the socket buffers of both sides hold, or nobody would be writing any more when a server closes early.
  const size = 8 * 1024 * 1024;
  const part = Buffer.alloc(64 * 1024, 0x20);
  return new Promise((resolve) => {
    const { host, port } = target(server.address);
    const socket = createConnection({ host: host as string, port: Number(port) });
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed without an answer'));
    socket.pause();
    const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${size}`;
    socket.write(`POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`);
    const writeParts = async (): Promise<void> => {
      for (let sent = 0; sent < size; sent += part.length) {
        if (chunked) socket.write(`${part.length.toString(16)}\r\n`);
        const more = socket.write(part);
        if (chunked) socket.write('\r\n');
        if (!more) await new Promise((go) => socket.once('drain', go));
      }
      if (chunked) socket.write('0\r\n\r\n');
      socket.once('data', (data) => {
        resolve(data.toString().split('\r\n')[0] ?? '');
        socket.destroy();
      });
      socket.resume();
    };
    void writeParts();
  });
}
