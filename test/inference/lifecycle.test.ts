import { Agent } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ListeningServer } from '../../src/http/listen.js';
import { type InferenceOptions, listenInference } from '../../src/inference/server.js';
import type { PredictReply, PredictRequest, Supervisor } from '../../src/master/supervisor.js';
import type { CancelSignal } from '../../src/pool/job.js';
import { type Answer, call, target } from '../http/client.js';
import { fakeSupervisor } from '../http/fake-supervisor.js';

let server: ListeningServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function open(parts: Partial<Supervisor> = {}, more: Partial<InferenceOptions> = {}): Promise<string> {
  server = await listenInference({
    supervisor: fakeSupervisor(parts),
    host: '127.0.0.1',
    port: 0,
    auth: 'none',
    token: () => 'right',
    maxBodyBytes: 1024 * 1024,
    allowedHosts: [],
    ...more,
  });
  return server.address;
}

const post = (at: string, path: string, json: unknown, headers = {}): Promise<Answer> =>
  call({ at, method: 'POST', path, json, headers });

const aborted = (signal: CancelSignal) =>
  signal.aborted
    ? Promise.resolve()
    : new Promise<void>((resolve) => signal.addEventListener('abort', { handleEvent: resolve }));

/** A supervisor whose predictions end when the test says so. */
function slow() {
  const waiting: { request: PredictRequest; finish: () => void }[] = [];
  let arrived: () => void = () => undefined;
  return {
    waiting,
    /** Resolves when so many predictions are waiting. */
    reached: (count: number) =>
      new Promise<void>((resolve) => {
        arrived = () => waiting.length >= count && resolve();
        arrived();
      }),
    predict: (request: PredictRequest): Promise<PredictReply> =>
      new Promise((resolve) => {
        const finish = (): void =>
          resolve({
            model: 'intents',
            version: 'v1',
            results: [{ ok: true, output: request.inputs[0], worker: 'intents@v1/1' }],
            timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
          });
        waiting.push({ request, finish });
        arrived();
      }),
  };
}

describe('a client that goes away', () => {
  const text = (body: string) =>
    `POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  it.each([['closes', 'end'] as const, ['resets', 'resetAndDestroy'] as const])(
    'aborts its prediction when it %s',
    async (_name, how) => {
      const model = slow();
      const at = await open(model);
      const socket = connectTo(at);
      socket.write(text('{"inputs":1}'));
      await model.reached(1);
      const signal = model.waiting[0]?.request.signal as CancelSignal;
      expect(signal.aborted).toBe(false);
      socket[how]();
      await aborted(signal);
      model.waiting[0]?.finish();
    },
  );

  it('aborts none of another connection, and none before', async () => {
    const model = slow();
    const at = await open(model);
    const [one, other] = [connectTo(at), connectTo(at)];
    for (const body of ['{"inputs":1}', '{"inputs":2}', '{"inputs":3}']) {
      const count = model.waiting.length + 1;
      one.write(text(body));
      await model.reached(count);
      model.waiting.at(-1)?.finish();
      await new Promise((resolve) => one.once('data', resolve));
    }
    other.write(text('{"inputs":4}'));
    await model.reached(4);
    const signals = model.waiting.map(({ request }) => request.signal as CancelSignal);
    expect(signals.some((signal) => signal.aborted)).toBe(false);
    one.destroy();
    await aborted(signals[2] as CancelSignal);
    expect(signals[3]?.aborted).toBe(false);
    other.destroy();
    model.waiting[3]?.finish();
  });
});

describe('close', () => {
  it('lets what is in flight finish and closes its connection', async () => {
    const model = slow();
    const at = await open(model, { closeGraceMs: 10_000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answer = call({ at, agent, method: 'POST', path: '/predict', json: { inputs: 'x' } });
    await model.reached(1);
    const closed = server?.close();
    expect(server?.close()).toBe(closed);
    await expect(call({ at, path: '/health' })).rejects.toThrow(/ECONNREFUSED/);
    model.waiting[0]?.finish();
    expect(await answer).toMatchObject({ status: 200, json: { outputs: 'x' }, headers: { connection: 'close' } });
    await closed;
    agent.destroy();
  });

  it('answers a request that comes on a connection already in use', async () => {
    const model = slow();
    const at = await open(model, { closeGraceMs: 10_000 });
    const body = '{"inputs":1}';
    const head = `POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connectTo(at);
    // The second request's body is still on its way when the server begins to close.
    socket.write(`${head}${body.slice(0, 5)}`);
    const busy = post(at, '/predict', { inputs: 2 });
    await model.reached(1);
    const closed = server?.close();
    socket.write(body.slice(5));
    await model.reached(2);
    const text = new Promise<string>((resolve) => {
      let all = '';
      socket.on('data', (data) => (all += data.toString())).on('close', () => resolve(all));
    });
    for (const { finish } of model.waiting) finish();
    expect(await text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*connection: close/i);
    expect((await busy).status).toBe(200);
    await closed;
  });

  it('does not wait for idle or silent connections', async () => {
    const at = await open({}, { closeGraceMs: 60_000 });
    const agent = new Agent({ keepAlive: true });
    await call({ at, agent, path: '/health' });
    const silent = connectTo(at);
    await new Promise((resolve) => silent.once('connect', resolve));
    await call({ at, path: '/health' }); // so that the silent one has been accepted too
    const began = performance.now();
    await server?.close();
    expect(performance.now() - began).toBeLessThan(2000);
    agent.destroy();
    silent.destroy();
  });

  it('cuts what is in flight when the grace is over', async () => {
    const model = slow();
    const at = await open(model, { closeGraceMs: 50 });
    const answer = post(at, '/predict', { inputs: 1 });
    await model.reached(1);
    const failed = expect(answer).rejects.toThrow(/hang up|ECONNRESET/);
    await server?.close();
    await failed;
    await aborted(model.waiting[0]?.request.signal as CancelSignal);
    model.waiting[0]?.finish();
  });
});

function connectTo(at: string): Socket {
  const { host, port } = target(at);
  const socket = createConnection({ host: host as string, port: Number(port) });
  socket.on('error', () => undefined); // resets are part of these tests
  return socket;
}
