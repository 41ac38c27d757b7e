import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Supervisor } from '../../../src/master/supervisor.js';
import { toBytes } from './client.js';
import { misfits } from './spec-fields.js';
import { model, serve, tensor, text, undeclared } from './support.js';

describe('the request', () => {
  const echo = model({ ...undeclared, inputs: [{ name: 'x', datatype: 'INT32', shape: [-1, 2] }] });
  const x = (more: object = {}) => ({ name: 'x', datatype: 'INT32', shape: [1, 2], data: [1, 2], ...more });

  it.each<[string, object, RegExp]>([
    ['no inputs', {}, /'inputs' must be an array/],
    ['no input', { inputs: [] }, /'inputs' has no tensor/],
    ['an unknown input', { inputs: [x({ name: 'y' })] }, /no input 'y'; it takes: x/],
    ['the same input twice', { inputs: [x(), x()] }, /inputs has 'x' twice/],
    ['an unknown datatype', { inputs: [x({ datatype: 'FP31' })] }, /"FP31"; there are: BOOL/],
    ['another datatype', { inputs: [x({ datatype: 'FP32' })] }, /'x' is FP32, and m takes INT32/],
    ['another rank', { inputs: [x({ shape: [2] })] }, /'x' has the shape \[2\], and m takes \[-1, 2\]/],
    ['another dimension', { inputs: [x({ shape: [1, 3], data: [1, 2, 3] })] }, /takes \[-1, 2\] \(-1 is any length\)/],
    ['a negative dimension', { inputs: [x({ shape: [-1, 2] })] }, /'shape' must be an array of/],
    ['no shape', { inputs: [x({ shape: undefined })] }, /'shape' must be/],
    ['too little data', { inputs: [x({ shape: [2, 2] })] }, /'x' has 2 elements, and its shape \[2, 2\] wants 4/],
    ['too much data', { inputs: [x({ data: [1, 2, 3] })] }, /has 3 elements/],
    ['data nested in another way', { inputs: [x({ data: [[1], [2]] })] }, /dimension 0 wants 1 elements and has 2/],
    ['data that is no array', { inputs: [x({ data: 5 })] }, /needs 'data', an array/],
    [
      'a fraction',
      { inputs: [x({ data: [1, 2.5] })] },
      /2\.5 as element 1, and INT32 is a whole number from -2147483648/,
    ],
    ['a number beyond its type', { inputs: [x({ data: [1, 2 ** 31] })] }, /2147483648 as element 1/],
    ['a null', { inputs: [x({ data: [1, null] })] }, /null as element 1/],
    ['data twice', { inputs: [x({ parameters: { binary_data_size: 8 } })] }, /both data and binary_data_size/],
    ['a name that is none', { inputs: [x({ name: 5 })] }, /'inputs\[0\]\.name' must be a text/],
    ['a name that no object may have', { inputs: [x({ name: '__proto__' })] }, /'inputs\[0\]\.name' must be a name/],
    ['an id that is none', { id: 5, inputs: [x()] }, /'id' must be a text/],
    ['a priority that is none', { parameters: { priority: -1 }, inputs: [x()] }, /'priority' must be/],
    ['a timeout that is none', { parameters: { timeout: 0.5 }, inputs: [x()] }, /'timeout' must be/],
    ['parameters that are none', { parameters: [], inputs: [x()] }, /the parameters of the request must be/],
    ['a sequence', { parameters: { sequence_id: 7 }, inputs: [x()] }, /'sequence_id' of the request is not supported/],
    [
      'shared memory',
      { inputs: [x({ parameters: { shared_memory_region: 'a' } })] },
      /'shared_memory_region' of input 'x'/,
    ],
    [
      'binary data without its header',
      { inputs: [x({ data: undefined, parameters: { binary_data_size: 8 } })] },
      /header Inference-Header-Content-Length is missing/,
    ],
  ])('is refused with %s', async (_name, body, message) => {
    const { client, supervisor } = await serve(echo);
    const reply = await client.post('/v2/models/m/infer', body);
    expect([reply.status, reply.json.error]).toEqual([400, expect.stringMatching(message)]);
    expect(misfits('error_response', reply.json)).toEqual([]);
    expect(supervisor.predictions).toEqual([]);
  });

  it('is refused with an output that the model has not', async () => {
    const { client } = await serve(model({}));
    const reply = await client.infer({ model: 'm', inputs: [text(['a'])], outputs: [{ name: 'labels' }] });
    expect([reply.status, reply.json.error]).toEqual([400, "m has no output 'labels'; it has: label"]);
  });

  it.each<[string, string, number, RegExp]>([
    ['a header beyond the body', '{}', 3, /is 3, and the body has only 2 bytes/],
    [
      'left-over bytes',
      '{"inputs":[{"name":"x","datatype":"INT32","shape":[0,2],"data":[]}]}....',
      68,
      /4 bytes of binary data that no input/,
    ],
    [
      'too few bytes',
      '{"inputs":[{"name":"x","datatype":"INT32","shape":[1,2],"parameters":{"binary_data_size":8}}]}....',
      94,
      /wants 8 bytes.*only 4 left/,
    ],
    [
      'bytes of another number',
      '{"inputs":[{"name":"x","datatype":"INT32","shape":[1,2],"parameters":{"binary_data_size":4}}]}....',
      94,
      /has 4 bytes of binary data, and its shape \[1, 2\] of INT32 wants 8/,
    ],
    ['half a JSON', '{"inputs":[', 5, /not valid JSON/],
  ])('is refused with %s', async (_name, body, length, message) => {
    const { client } = await serve(echo);
    const headers = { 'inference-header-content-length': length, 'content-type': 'application/octet-stream' };
    const reply = await client.send('POST', '/v2/models/m/infer', Buffer.from(body), headers);
    expect([reply.status, reply.json.error]).toEqual([400, expect.stringMatching(message)]);
  });

  it('reads binary data of BYTES to its end', async () => {
    const { client } = await serve(model({}));
    const send = (bytes: Buffer, shape: number[]) => {
      const json = JSON.stringify({
        inputs: [{ name: 'text', datatype: 'BYTES', shape, parameters: { binary_data_size: bytes.length } }],
      });
      return client.send('POST', '/v2/models/m/infer', Buffer.concat([Buffer.from(json), bytes]), {
        'inference-header-content-length': json.length,
      });
    };
    const two = toBytes('BYTES', ['a', 'bc']);
    expect((await send(two, [2])).status).toBe(200);
    expect((await send(two, [3])).json.error).toMatch(/has 2 elements in its binary data/);
    expect((await send(two.subarray(0, -1), [2])).json.error).toMatch(/ends within its element 1/);
    expect((await send(two.subarray(0, 7), [2])).json.error).toMatch(/ends within its element 1/);
  });

  it('passes its version, priority, timeout and user on', async () => {
    const { client, supervisor } = await serve();
    const call = { model: 'intents', version: 'v7', inputs: [text(['a'])] };
    await client.infer({ ...call, parameters: { priority: 1, timeout: 1500 } }, { 'x-user-id': 'ann' });
    await client.infer({ ...call, parameters: { priority: 2 } });
    await client.infer({ ...call, parameters: { priority: 0, timeout: 0, custom: 'yes' } });
    expect(supervisor.predictions).toMatchObject([
      { version: 'v7', timeoutMs: 1.5, user: 'ann' },
      { version: 'v7', timeoutMs: null, user: null },
      { version: 'v7', timeoutMs: null, priority: 0 },
    ]);
    // Ours is the other way round: higher goes first.
    const [first, second, standard] = supervisor.predictions.map(({ priority }) => priority) as [
      number,
      number,
      number,
    ];
    expect(first > second && second > standard).toBe(true);
  });

  it('returns the outputs that it asks for, in its order, each as it wants them', async () => {
    const answer = {
      a: { datatype: 'INT16', shape: [2], data: [1, -1] },
      b: { datatype: 'BYTES', shape: [1], data: ['ü'] },
      c: { datatype: 'UINT8', shape: [1], data: [7] },
    };
    const { client } = await serve(model(undeclared, () => [answer]));
    const reply = await client.infer({
      model: 'm',
      parameters: { binary_data_output: true },
      inputs: [tensor('x', 'BOOL', [true])],
      outputs: [{ name: 'b' }, { name: 'c', parameters: { binary_data: false } }, { name: 'a' }],
    });
    expect(reply.headers['content-type']).toBe('application/octet-stream');
    expect(reply.outputs).toEqual([
      { name: 'b', datatype: 'BYTES', shape: [1], data: [Buffer.from('ü')], binary: true },
      { name: 'c', datatype: 'UINT8', shape: [1], data: [7], binary: false },
      { name: 'a', datatype: 'INT16', shape: [2], data: [1, -1], binary: true },
    ]);
    expect(misfits('response_output_binary', reply.json.outputs[0])).toEqual([]);
    const missing = await client.infer({ model: 'm', inputs: [tensor('x', 'BOOL', [true])], outputs: [{ name: 'd' }] });
    expect([missing.status, missing.json.error]).toEqual([400, "the model gave no output 'd'; it gave: a, b, c"]);
  });

  it('may be nothing but the data of the only input', async () => {
    let seen: readonly unknown[] = [];
    const declare = (datatype: string, shape: number[], rows: boolean) =>
      model(
        {
          inputs: [{ name: 'x', datatype, shape }],
          outputs: [],
          rows,
          ...(rows && { outputs: [{ name: 'n', datatype: 'INT8', shape: [-1] }] }),
        },
        (inputs) => {
          seen = inputs;
          return rows ? [1] : [{ n: { datatype: 'INT8', shape: [], data: [1] } }];
        },
      );
    const raw = async (parts: Partial<Supervisor>, bytes: Buffer) => {
      const { client } = await serve(parts);
      const reply = await client.send('POST', '/v2/models/m/infer', bytes, { 'inference-header-content-length': 0 });
      return [reply.status, reply.json.error ?? reply.json.outputs[0].parameters];
    };
    const floats = toBytes('FP32', [1, 2, 3, 4]);
    expect(await raw(declare('FP32', [-1, 2], false), floats)).toEqual([200, { binary_data_size: 1 }]);
    expect(seen).toEqual([{ x: { datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } }]);
    expect(await raw(declare('FP32', [-1, -1], true), floats)).toEqual([200, { binary_data_size: 1 }]);
    expect(seen).toEqual([Float32Array.of(1, 2, 3, 4)]);
    expect(await raw(declare('BYTES', [-1], true), Buffer.from('hello'))).toEqual([200, { binary_data_size: 1 }]);
    expect(seen).toEqual(['hello']);
    expect(await raw(declare('FP32', [-1, -1], false), floats)).toEqual([
      400,
      expect.stringMatching(/more than one open/),
    ]);
    expect(await raw(declare('FP32', [3], false), floats)).toEqual([400, expect.stringMatching(/16 bytes.*wants 12/)]);
    expect(await raw(declare('BYTES', [2], false), floats)).toEqual([
      400,
      expect.stringMatching(/must have the shape \[1\]/),
    ]);
    expect(await raw(model(undeclared), floats)).toEqual([400, expect.stringMatching(/one declared input; m has 0/)]);
  });

  it('fails as a whole with the error of a row', async () => {
    const { SupError } = await import('../../../src/errors.js');
    const { client } = await serve({
      predict: async (request) => ({
        model: 'intents',
        version: 'v1',
        results: request.inputs.map((output, i) =>
          i === 1
            ? { ok: false, error: new SupError('SUP_QUARANTINED', 'bad row') }
            : { ok: true, output, worker: 'w' },
        ),
        timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
      }),
    });
    const reply = await client.infer({ model: 'intents', inputs: [text(['a', 'b', 'c'])] });
    expect([reply.status, reply.json]).toEqual([422, { error: 'bad row' }]);
  });

  it('is refused by a model that streams, and by one whose declaration is none', async () => {
    const streaming = await serve(model({ streams: true }));
    const reply = await streaming.client.infer({ model: 'm', inputs: [text(['a'])] });
    expect([reply.status, reply.json.error]).toEqual([400, expect.stringMatching(/generate_stream/)]);
    const { client } = await serve(model({ outputs: [{ name: 'out', datatype: 'STRING', shape: [-1] }] }));
    const broken = await client.infer({ model: 'm', inputs: [text(['a'])] });
    expect([broken.status, broken.json.error]).toEqual([500, expect.stringMatching(/m@v1 declares 'out' as "STRING"/)]);
  });

  it('never breaks the server, whatever it holds', async () => {
    const { client } = await serve(model(undeclared));
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('x', 'INT64', 'BYTES', [1], [0], [[]], 1, -1, 2 ** 53));
    const loose = fc.record(
      { name: value, datatype: value, shape: value, data: value, parameters: value },
      { requiredKeys: [] },
    );
    const near = fc.record({
      name: fc.constantFrom('x', 'y'),
      datatype: fc.constantFrom('INT64', 'BYTES', 'FP16', 'BOOL'),
      shape: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 3 }),
      data: value,
    });
    const body = fc.record(
      {
        id: value,
        inputs: fc.oneof(value, fc.array(fc.oneof(loose, near), { maxLength: 2 })),
        outputs: value,
        parameters: value,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(body, fc.option(fc.nat(200)), async (json, headerLength) => {
        const reply = await client.post(
          '/v2/models/m/infer',
          json,
          headerLength === null ? {} : { 'inference-header-content-length': headerLength },
        );
        expect([200, 400]).toContain(reply.status);
      }),
      { numRuns: 400 },
    );
  });
});
