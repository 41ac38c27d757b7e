import { describe, expect, it } from 'vitest';
import { type ErrorCode, SupError } from '../../../src/errors.js';
import type { Reply } from './client.js';
import { misfits } from './spec-fields.js';
import { serve, text } from './support.js';

const infer = { model: 'intents', inputs: [text(['a'])] };
const isError = (reply: Reply, status: number, message: RegExp | string) => {
  expect([reply.status, reply.json?.error]).toEqual([
    status,
    typeof message === 'string' ? message : expect.stringMatching(message),
  ]);
  expect(misfits('error_response', reply.json)).toEqual([]);
  expect(reply.headers['content-type']).toMatch(/^application\/json/);
};

describe('errors', () => {
  it.each<[ErrorCode, number, string | undefined]>([
    ['SUP_MODEL_NOT_FOUND', 404, undefined],
    ['SUP_QUARANTINED', 422, undefined],
    ['SUP_QUEUE_FULL', 429, '1'],
    ['SUP_OVERLOADED', 429, '1'],
    ['SUP_MODEL_ERROR', 500, undefined],
    ['SUP_WORKER_DIED', 502, undefined],
    ['SUP_NOT_READY', 503, '1'],
    ['SUP_APP_STOPPED', 503, '5'],
    ['SUP_DEADLINE', 504, undefined],
    ['SUP_NO_ROOM', 507, undefined],
  ])('have the form of the protocol, and the status of %s', async (code, status, retryAfter) => {
    const { client } = await serve({ predict: () => Promise.reject(new SupError(code, `it is ${code}`)) });
    const reply = await client.infer(infer);
    isError(reply, status, `it is ${code}`);
    expect(reply.headers['retry-after']).toBe(retryAfter);
  });

  it('have it for paths and methods that are none, and outside of /v2 they do not', async () => {
    const { client } = await serve();
    isError(await client.get('/v2/models/%zz'), 400, /./);
    isError(await client.get('/v2/nosuch'), 404, 'there is no GET /v2/nosuch');
    isError(await client.get('/v2/models/m/infer'), 405, /takes POST/);
    isError(await client.post('/v2/health/live'), 405, /takes GET, HEAD/);
    isError(await client.post('/v2/models/m'), 405, /takes GET/);
    for (const path of ['/v2x', '/nosuch', '/v1/v2/x'])
      expect((await client.get(path)).json.error.code).toBe('SUP_NOT_FOUND');
  });

  it('have it for a body that is too large, and for a type or an encoding that is not read', async () => {
    const { client, supervisor } = await serve({}, { maxBodyBytes: 1000 });
    isError(await client.infer({ ...infer, inputs: [text(['x'.repeat(2000)])] }), 413, /over the limit of 1000 bytes/);
    isError(await client.infer(infer, { 'content-type': 'text/plain' }), 415, /application\/octet-stream/);
    isError(await client.infer(infer, { 'content-type': 'application/jsonx' }), 415, /application\/octet-stream/);
    isError(await client.infer(infer, { 'content-encoding': 'gzip' }), 415, /Content-Encoding/);
    isError(await client.infer(infer, { 'inference-header-content-length': 'ten' }), 400, /must be a number of bytes/);
    isError(await client.send('POST', '/v2/models/m/infer', Buffer.from('{"inputs": nope}')), 400, /not valid JSON/);
    isError(await client.send('POST', '/v2/models/m/infer', Buffer.from([0xff])), 400, /not UTF-8/);
    isError(await client.send('POST', '/v2/models/m/infer'), 400, /not valid JSON/);
    expect(supervisor.predictions).toEqual([]);
  });

  it.each([undefined, 'application/json', 'application/json; charset=utf-8', 'application/octet-stream'])(
    'are not for bodies of type %s',
    async (type) => {
      const { client } = await serve();
      expect((await client.infer(infer, type === undefined ? {} : { 'content-type': type })).status).toBe(200);
    },
  );

  it('leave the other paths as they are: /predict still takes JSON alone', async () => {
    const { client } = await serve();
    const body = Buffer.from('{"inputs": 1}');
    const refused = await client.send('POST', '/predict', body, { 'content-type': 'application/octet-stream' });
    expect([refused.status, refused.json.error.code]).toEqual([415, 'SUP_UNSUPPORTED_MEDIA_TYPE']);
    expect((await client.send('POST', '/predict', body)).status).toBe(415);
    expect((await client.send('POST', '/predict', body, { 'content-type': 'application/json' })).status).toBe(200);
  });
});

describe('the token', () => {
  const right = { authorization: 'Bearer the-right-token' };
  const changes = ['load', 'unload'].flatMap((verb) => [
    `/v2/repository/models/intents/${verb}`,
    `/v2/repository/models/intents/versions/v1/${verb}`,
    `/v2/repository/models/intents/${verb}/`,
  ]);

  it('is needed for what changes models, also where predictions need none', async () => {
    const { client, supervisor } = await serve();
    for (const path of changes) {
      const missing = await client.post(path);
      isError(missing, 401, /Authorization: Bearer/);
      expect(missing.headers['www-authenticate']).toMatch(/^Bearer/);
      expect((await client.post(path, {}, { authorization: 'Bearer wrong' })).status).toBe(401);
    }
    expect(supervisor.calls).toEqual([]);
    for (const path of changes) expect((await client.post(path, {}, right)).status).toBe(200);
    expect(supervisor.calls).toHaveLength(changes.length);
  });

  it('is asked for before the body is read', async () => {
    const { client } = await serve({}, { maxBodyBytes: 100 });
    const big = { parameters: { x: 'y'.repeat(1000) } };
    isError(await client.post('/v2/repository/models/intents/load', big), 401, /Authorization/);
    isError(await client.post('/v2/repository/models/intents/load', big, right), 413, /limit of 100/);
  });

  it('is needed for everything but the probes where predictions need it', async () => {
    const { client } = await serve({}, { auth: 'token' });
    for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/health/ready/?x=1'])
      expect((await client.get(path)).status).toBe(200);
    for (const path of [
      '/v2',
      '/v2/models/intents',
      '/v2/models/stats',
      '/v2/models/intents/ready',
      '/v2/health/lively',
    ])
      isError(await client.get(path), 401, /Authorization/);
    isError(await client.infer(infer), 401, /Authorization/);
    expect((await client.infer(infer, right)).status).toBe(200);
    expect((await client.post('/v2/repository/models/intents/load', {}, right)).status).toBe(200);
  });

  it('does not make up for a foreign Host or Origin', async () => {
    const { client } = await serve();
    isError(
      await client.post('/v2/repository/models/intents/load', {}, { ...right, origin: 'http://evil.example' }),
      403,
      /Origin/,
    );
    isError(await client.infer(infer, { host: 'evil.example' }), 403, /Host/);
  });
});
