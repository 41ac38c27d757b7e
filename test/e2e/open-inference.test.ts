import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client, type InputTensor, type Value } from '../inference/open-inference/client.js';
import { Box, until } from '../support/box.js';
import { Models } from '../support/models.js';

const MIB = 1024 * 1024;

/** One tensor of every datatype, at the ends of its range. FP16 and BF16 are given as bits. */
const EVERY: Record<string, Value[]> = {
  BOOL: [true, false],
  UINT8: [0, 255],
  UINT16: [0, 65535],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-128, 127],
  INT16: [-32768, 32767],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  FP16: [0x3c00, 0xfbff],
  BF16: [0x3f80, 0xff7f],
  FP32: [1.5, -(2 ** -149)],
  FP64: [0.1, Number.MAX_VALUE],
  BYTES: ['ü€😀', ''],
};
const KINDS = [
  ...[
    'Uint8Array',
    'Uint8Array',
    'Uint16Array',
    'Uint32Array',
    'BigUint64Array',
    'Int8Array',
    'Int16Array',
    'Int32Array',
  ],
  ...['BigInt64Array', 'Float32Array', 'Float32Array', 'Float32Array', 'Float64Array', 'Array'],
];
const every = (binary: boolean): InputTensor[] =>
  Object.entries(EVERY).map(([name, data]) => ({ name, datatype: name, shape: [2, 1], data, binary }));
const text = (...data: string[]): InputTensor => ({ name: 'text', datatype: 'BYTES', shape: [data.length], data });

describe.each(['process', 'thread'])('the Open Inference Protocol, models in a %s', (isolation) => {
  let box: Box;
  let client: Client;
  let models: Models;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  tensors: { module: $FIXTURES/models/tensors.mjs, isolation: ${isolation} }
  rows: { module: $FIXTURES/models/rows.mjs, isolation: ${isolation} }
  sleeper: { module: $FIXTURES/models/rows.mjs, isolation: ${isolation}, workers: { min: 0, max: 1 } }
  broken: { module: $FIXTURES/models/load-throws.mjs, isolation: ${isolation}, workers: { min: 0, max: 1 } }
`);
    client = new Client(`http://127.0.0.1:${box.inference}`);
    models = new Models(box);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it('carries every datatype there and back, as JSON and as binary data', async () => {
    for (const binary of [true, false]) {
      // As JSON, half floats are numbers and not bits.
      const inputs = every(binary).filter(({ name }) => binary || !/^B?F(P)?16$/.test(name));
      const reply = await client.infer({ model: 'tensors', inputs, parameters: { binary_data_output: binary } });
      expect(reply.status).toBe(200);
      expect(reply.outputs.map(({ name }) => name)).toEqual([...inputs.map(({ name }) => name), 'kinds']);
      for (const { name, datatype, shape, data } of reply.outputs) {
        if (name === 'kinds') continue;
        expect([datatype, shape]).toEqual([name, [2, 1]]);
        if (!binary && typeof EVERY[name]?.[0] === 'bigint')
          expect(String(reply.bytes)).toContain(`[${EVERY[name]?.join(',')}]`);
        else expect(data.map((each) => (each instanceof Uint8Array ? each.toString() : each))).toEqual(EVERY[name]);
      }
      const kinds = reply.outputs.at(-1)?.data.map(String);
      expect(kinds).toEqual(KINDS.filter((_, i) => binary || (i !== 9 && i !== 10)));
    }
  });

  it('carries up to 8 MiB', async () => {
    const data = new Array<number>(2 * MIB - 1000).fill(0.5);
    const tensor = { name: 'x', datatype: 'FP32', shape: [data.length], data, binary: true };
    const reply = await client.infer({
      model: 'tensors',
      inputs: [tensor],
      outputs: [{ name: 'x', parameters: { binary_data: true } }],
    });
    expect(reply.status).toBe(200);
    expect(reply.outputs[0]?.data).toHaveLength(data.length);
    const more = [...data, ...data.slice(0, 2000)];
    const refused = await client.infer({ model: 'tensors', inputs: [{ ...tensor, shape: [more.length], data: more }] });
    expect([refused.status, refused.json]).toEqual([413, { error: expect.stringContaining(`${8 * MIB}`) }]);
  });

  it('tells what a model threw, and that an answer was none', async () => {
    const input = (name: string) => [{ name, datatype: 'INT8', shape: [1], data: [1] }];
    const thrown = await client.infer({ model: 'tensors', inputs: input('fail') });
    expect([thrown.status, thrown.json]).toEqual([500, { error: 'RangeError: these tensors are not for me' }]);
    const bare = await client.infer({ model: 'tensors', inputs: input('bare') });
    expect([bare.status, bare.json.error]).toEqual([
      500,
      expect.stringMatching(/an array instead of an object of tensors/),
    ]);
  });

  it('puts rows into one batch with the predictions of others', async () => {
    const busy = await models.occupy('rows');
    const infer = client.infer({ model: 'rows', version: 'v1', id: 'a', inputs: [text('one', 'two', 'three')] });
    const predict = models.ask('rows', 'four');
    await until(async () => (await models.queued('rows')) === 4, 'four queued inputs');
    busy.release();
    expect((await infer).json).toMatchObject({
      model_name: 'rows',
      model_version: 'v1',
      id: 'a',
      outputs: [
        { name: 'input', shape: [3], datatype: 'BYTES', data: ['one', 'two', 'three'] },
        { name: 'turn', shape: [3], datatype: 'INT32' },
        { name: 'batch', shape: [3], datatype: 'INT32', data: [4, 4, 4] },
      ],
    });
    expect((await predict).json).toMatchObject({ outputs: { input: 'four', batch: 4 } });
  });

  it('answers 504 when the timeout in microseconds is over, and 404 where nothing is', async () => {
    const busy = await models.occupy('rows');
    const late = await client.infer({ model: 'rows', parameters: { timeout: 100_000 }, inputs: [text('x')] });
    expect([late.status, Object.keys(late.json)]).toEqual([504, ['error']]);
    busy.release();
    for (const call of [{ model: 'nosuch' }, { model: 'rows', version: 'v9' }])
      expect((await client.infer({ ...call, inputs: [text('x')] })).status).toBe(404);
  });

  it('tells what a model declares without loading it, and loads it for its first request', async () => {
    const states = async () =>
      Object.fromEntries(
        (await client.post('/v2/repository/index')).json.map(({ name, state }: { name: string; state: string }) => [
          name,
          state,
        ]),
      );
    expect(await client.get('/v2/models/sleeper')).toMatchObject({
      status: 200,
      json: {
        name: 'sleeper',
        versions: ['v1'],
        platform: 'test',
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      },
    });
    expect((await states()).sleeper).toBe('UNAVAILABLE');
    expect((await client.get('/v2/models/sleeper/ready')).status).toBe(503);
    expect((await client.get('/v2/health/ready')).status).toBe(200);
    expect((await client.infer({ model: 'sleeper', inputs: [text('hello')] })).outputs[0]?.data).toEqual(['hello']);
    expect((await states()).sleeper).toBe('READY');
    expect((await client.get('/v2/models/sleeper/ready')).status).toBe(200);
  });

  it('keeps what its workers say the models declare, for the time when they are unloaded', async () => {
    const folder = path.join(box.home, 'metadata');
    const kept = () =>
      readdirSync(folder).map(
        (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as { module: string },
      );
    await until(
      () => existsSync(folder) && kept().some(({ module }) => module.endsWith('/tensors.mjs')),
      'it to be kept',
    );
  });

  it('loads and unloads for who has the token', async () => {
    const token = { authorization: `Bearer ${box.token()}` };
    const change = (verb: string, headers = {}) => client.post(`/v2/repository/models/sleeper/${verb}`, {}, headers);
    const ready = async () => (await client.get('/v2/models/sleeper/versions/v1/ready')).status;
    expect((await change('load')).status).toBe(401);
    expect((await change('load', token)).status).toBe(200);
    expect(await ready()).toBe(200);
    expect((await change('unload')).status).toBe(401);
    expect((await change('unload', token)).status).toBe(200);
    await until(async () => (await ready()) === 503, 'it to be unloaded');
    expect((await client.infer({ model: 'sleeper', inputs: [text('again')] })).status).toBe(200);
    expect(await ready()).toBe(200);
  });

  it('says why a model cannot be loaded, and still what it would be', async () => {
    expect((await client.get('/v2/models/broken')).status).toBe(200);
    const { status, json } = await client.infer({ model: 'broken', inputs: [text('x')] });
    expect([status, Object.keys(json)]).toEqual([503, ['error']]);
  });

  it('counts in its statistics what it did', async () => {
    const before = (await client.get('/v2/models/rows/stats')).json.model_stats[0];
    await client.infer({ model: 'rows', inputs: [text('a', 'b')] });
    const after = (await client.get('/v2/models/rows/stats')).json.model_stats[0];
    expect(after.inference_count - before.inference_count).toBe(2);
    expect(after.inference_stats.success.count - before.inference_stats.success.count).toBe(2);
    expect(after.inference_stats.compute_infer.ns).toBeGreaterThan(before.inference_stats.compute_infer.ns);
  });

  it('answers on the control socket too, without a token', async () => {
    const local = new Client(path.join(box.home, 'supervisor.sock'));
    expect((await local.get('/v2/health/live')).json).toEqual({ live: true });
    expect((await local.infer({ model: 'rows', inputs: [text('x')] })).outputs[0]?.data).toEqual(['x']);
    expect((await local.post('/v2/repository/models/sleeper/load')).status).toBe(200);
  });
});
