import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ModelAppConfig } from '../../src/config/schema.js';
import { SupError } from '../../src/errors.js';
import type { PredictRequest } from '../../src/master/supervisor.js';
import { freePort } from '../../src/sizing/free-port.js';
import { httpTarget, modelClients, modelTarget } from '../../src/sizing/target.js';

const model = (more: Partial<ModelAppConfig> = {}) =>
  ({
    name: 'm',
    concurrency: 1,
    batching: { maxSize: 32, maxDelayMs: 0, preferred: [] },
    timeoutMs: 30_000,
    queue: { max: 512, ageingMs: 1000, shedding: true },
    ...more,
  }) as ModelAppConfig;

describe('modelClients', () => {
  it.each([
    ['two full batches where answers are quick', model(), 0.2, 64],
    ['for each slot', model({ concurrency: 4 }), 0.2, 256],
    ['fewer where a batch may be long', model(), 100, 10],
    ['one at work and one waiting at least', model({ concurrency: 2 }), 5000, 4],
    ['well within the deadline', model({ timeoutMs: 100 }), 10, 5],
    ['a time too short to measure', model(), 0, 64],
  ])('%s', (_what, app, serviceMs, clients) => expect(modelClients(app, serviceMs)).toBe(clients));

  it('property: never fewer than keep a worker busy, never more than two batches a slot', () => {
    const numbers = fc.integer({ min: 1, max: 64 });
    fc.assert(
      fc.property(numbers, numbers, fc.double({ min: 0, max: 1e6, noNaN: true }), (concurrency, maxSize, serviceMs) => {
        const clients = modelClients(
          model({ concurrency, batching: { maxSize, maxDelayMs: 0, preferred: [] } }),
          serviceMs,
        );
        expect(Number.isInteger(clients)).toBe(true);
        expect(clients).toBeGreaterThanOrEqual(2 * concurrency);
        expect(clients).toBeLessThanOrEqual(2 * concurrency * maxSize);
      }),
    );
  });
});

describe('modelTarget', () => {
  it('asks with one input after the other, and tells what the model threw', async () => {
    const asked: PredictRequest[] = [];
    const supervisor = {
      predict: async (request: PredictRequest) => {
        asked.push(request);
        const [input] = request.inputs;
        const error = new SupError('SUP_MODEL_ERROR', 'no b here');
        return {
          model: 'm',
          version: 'v2',
          results: [input === 'b' ? { ok: false as const, error } : { ok: true as const, output: 1, worker: 'm@v2/1' }],
          timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
        };
      },
    };
    const target = modelTarget(
      supervisor,
      model({ queue: { max: 100, ageingMs: 1000, shedding: true } }),
      'v2',
      ['a', 'b'],
      0.1,
    );
    const { ask } = target.connect(1);
    expect([await ask(0), await ask(1), await ask(2)]).toEqual([null, 'no b here', null]);
    expect(asked.map(({ model: name, version, inputs }) => [name, version, ...inputs])).toEqual([
      ['m', 'v2', 'a'],
      ['m', 'v2', 'b'],
      ['m', 'v2', 'a'],
    ]);
    // No more than the queue takes.
    expect([target.clientsFor(1), target.clientsFor(2)]).toEqual([64, 100]);
  });
});

describe('httpTarget', () => {
  it('sends the requests in turn over connections of its own, and tells errors by their request', async () => {
    const seen: string[] = [];
    const sockets = new Set<Socket>();
    const server = http.createServer(async (request, response) => {
      sockets.add(request.socket);
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? '-'} ${body}`);
      if (request.url === '/cut') request.socket.destroy();
      else
        response.writeHead(request.url === '/bad' ? 503 : request.url === '/moved' ? 302 : 200).end('x'.repeat(9999));
    });
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = httpTarget('127.0.0.1', port, [
      { method: 'GET', path: '/a?b', body: null },
      { method: 'POST', path: '/items', body: '{"ü":1}' },
      { method: 'GET', path: '/bad', body: null },
      { method: 'GET', path: '/moved', body: null },
      { method: 'GET', path: '/cut', body: null },
    ]);
    const first = target.connect(1);
    const answers = [];
    for (let turn = 0; turn < 4; turn++) answers.push(await first.ask(turn));
    expect(answers).toEqual([null, null, 'GET /bad answered 503', null]);
    expect(sockets.size).toBe(1);
    expect(await first.ask(4)).toMatch(/^GET \/cut: /);
    first.close();
    const second = target.connect(1);
    expect(await second.ask(0)).toBeNull();
    second.close();
    expect(sockets.size).toBe(2);
    expect(seen.slice(0, 2)).toEqual(['GET /a?b - ', 'POST /items application/json {"ü":1}']);
  });

  it('tells when nobody is there', async () => {
    const port = await freePort('127.0.0.1');
    const { ask, close } = httpTarget('127.0.0.1', port, [{ method: 'GET', path: '/', body: null }]).connect(1);
    expect(await ask(0)).toMatch(/^GET \/: .*ECONNREFUSED/);
    close();
  });
});
