import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelMetadata } from '../../../src/master/supervisor.js';
import { modelMetadata } from '../../http/fake-supervisor.js';
import type { InputTensor } from './client.js';
import { misfits } from './spec-fields.js';
import { model, serve, tensor, text } from './support.js';

describe('rows', () => {
  it('makes an input of each row, and a tensor of the answers', async () => {
    const { client, supervisor } = await serve();
    const reply = await client.infer({ model: 'intents', id: '42', inputs: [text(['a', 'b', 'c'])] });
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    expect(reply.json).toEqual({
      model_name: 'intents',
      model_version: 'v1',
      id: '42',
      outputs: [{ name: 'label', shape: [3], datatype: 'BYTES', data: ['a', 'b', 'c'] }],
    });
    expect(misfits('inference_response', reply.json)).toEqual([]);
    expect(misfits('response_output', reply.json.outputs[0])).toEqual([]);
    expect(supervisor.predictions).toMatchObject([{ model: 'intents', version: 'v1', inputs: ['a', 'b', 'c'] }]);
  });

  const wide: Partial<ModelMetadata> = {
    inputs: [
      { name: 'pixels', datatype: 'FP32', shape: [-1, 2, 2] },
      { name: 'id', datatype: 'INT64', shape: [-1] },
      { name: 'flip', datatype: 'BOOL', shape: [-1] },
      { name: 'tags', datatype: 'BYTES', shape: [-1, -1] },
    ],
    outputs: [
      { name: 'pair', datatype: 'FP32', shape: [-1, 2] },
      { name: 'words', datatype: 'BYTES', shape: [-1, -1] },
      { name: 'sure', datatype: 'BOOL', shape: [-1] },
    ],
  };
  const wideInputs = [
    tensor('tags', 'BYTES', ['a', 'b', 'c', 'd', 'e', 'f'], [2, 3]),
    tensor('pixels', 'FP32', [1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]),
    tensor('flip', 'BOOL', [true, false]),
    tensor('id', 'INT64', [1n, 2n ** 60n]),
  ];

  it('gives a row of several tensors as an object, its elements as the datatype has them', async () => {
    let seen: readonly unknown[] = [];
    const { client } = await serve(
      model(wide, (inputs) => {
        seen = inputs;
        return inputs.map((_, i) => ({ pair: [i, i + 0.5], words: Float32Array.of(), sure: i === 1 }));
      }),
    );
    const reply = await client.infer({ model: 'm', inputs: wideInputs });
    expect(seen).toEqual([
      { pixels: Float32Array.of(1, 2, 3, 4), id: 1n, flip: true, tags: ['a', 'b', 'c'] },
      { pixels: Float32Array.of(5, 6, 7, 8), id: 2n ** 60n, flip: false, tags: ['d', 'e', 'f'] },
    ]);
    expect(reply.json.outputs).toEqual([
      { name: 'pair', shape: [2, 2], datatype: 'FP32', data: [0, 0.5, 1, 1.5] },
      { name: 'words', shape: [2, 0], datatype: 'BYTES', data: [] },
      { name: 'sure', shape: [2], datatype: 'BOOL', data: [false, true] },
    ]);
  });

  it('stacks nested rows and typed ones, and a single output given by its name', async () => {
    const outputs = [{ name: 'grid', datatype: 'INT32', shape: [-1, 2, -1] }];
    const answers = [
      [
        [1, 2],
        [3, 4],
      ],
      Int32Array.of(5, 6, 7, 8),
      {
        grid: [
          [9, 10],
          [11, 12],
        ],
      },
    ];
    const { client } = await serve(model({ outputs }, () => answers));
    const reply = await client.infer({ model: 'm', inputs: [text(['a', 'b', 'c'])] });
    expect(reply.json.outputs).toEqual([
      { name: 'grid', shape: [3, 2, 2], datatype: 'INT32', data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] },
    ]);
  });

  it('takes an element of bytes as one element', async () => {
    const { client } = await serve(model({}, () => [Uint8Array.of(0xff, 0xd8), 'text']));
    const call = { model: 'm', inputs: [text(['a', 'b'])] };
    const reply = await client.infer({ ...call, outputs: [{ name: 'label', parameters: { binary_data: true } }] });
    expect(reply.outputs[0]?.data).toEqual([Buffer.from([0xff, 0xd8]), Buffer.from('text')]);
    const asJson = await client.infer(call);
    expect([asJson.status, asJson.json.error]).toEqual([400, expect.stringMatching(/'label'.*not UTF-8.*binary_data/)]);
  });

  it.each<[string, InputTensor[], RegExp]>([
    [
      'rows of another number',
      [...wideInputs.slice(0, 3), tensor('id', 'INT64', [1])],
      /'id' has 1 rows, and 'pixels' has 2/,
    ],
    [
      'no rows',
      wideInputs.map((each) => ({ ...each, data: [], shape: [0, ...each.shape.slice(1)] })),
      /'pixels' has no rows/,
    ],
  ])('refuses %s', async (_name, inputs, message) => {
    const { client, supervisor } = await serve(model(wide));
    const reply = await client.infer({ model: 'm', inputs });
    expect([reply.status, reply.json.error]).toEqual([400, expect.stringMatching(message)]);
    expect(supervisor.predictions).toEqual([]);
  });

  it.each<[string, unknown[], RegExp]>([
    ['is missing an output', [{ pair: [1, 2], sure: true }], /m@v1 answered without the output words/],
    [
      'has another output',
      [{ pair: [1, 2], sure: true, words: [], more: 1 }],
      /answered with more, and declares only pair/,
    ],
    ['is no object', ['text'], /"text" instead of an object with pair, words, sure/],
    [
      'is too long',
      [{ pair: [1, 2, 3], sure: true, words: [] }],
      /row 0 of output 'pair', which has 3 elements.*wants 2/,
    ],
    [
      'has the wrong type',
      [{ pair: [1, 'two'], sure: true, words: [] }],
      /'pair', which has "two" as element 1, and FP32/,
    ],
    ['is out of range', [{ pair: [1, 1e39], sure: true, words: [] }], /has 1e\+39 as element 1/],
    [
      'is ragged',
      [
        { pair: [1, 2], sure: true, words: ['a'] },
        { pair: [1, 2], sure: true, words: [] },
      ],
      /row 1 of output 'words'/,
    ],
  ])('blames the model for an answer that %s', async (_name, answers, message) => {
    const { client } = await serve(model(wide, () => answers));
    const inputs = wideInputs.map(({ data, shape: [n, ...rest], ...each }) => ({
      ...each,
      shape: [answers.length, ...rest],
      data: data.slice(0, (data.length / (n as number)) * answers.length),
    }));
    const reply = await client.infer({ model: 'm', inputs });
    expect([reply.status, reply.json.error]).toEqual([500, expect.stringMatching(message)]);
  });

  it('needs declared outputs, and a nested row where two dimensions are open', async () => {
    const { client } = await serve({
      ...model({}, () => [[1, 2]]),
      modelMetadata: async (name) => ({
        ...{ name, version: 'v1', versions: ['v1'], platform: '', rows: true, streams: false },
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
        outputs: name === 'none' ? [] : [{ name: 'out', datatype: 'FP32', shape: [-1, -1, -1] }],
      }),
    });
    const none = await client.infer({ model: 'none', inputs: [text(['a'])] });
    expect([none.status, none.json.error]).toEqual([500, expect.stringMatching(/declares no outputs/)]);
    const flat = await client.infer({ model: 'flat', inputs: [text(['a'])] });
    expect([flat.status, flat.json.error]).toEqual([500, expect.stringMatching(/2 open dimensions: nest it/)]);
  });

  it('never breaks over an answer, whatever it is', async () => {
    let answer: unknown;
    let declared = {};
    const { client } = await serve({
      ...model({}, () => [answer]),
      modelMetadata: async (name) => modelMetadata({ name, ...declared }),
    });
    const shapes = fc.constantFrom([-1], [-1, 2], [-1, -1, -1], [2]);
    const declarations = fc.record({
      rows: fc.boolean(),
      outputs: fc.array(
        fc.record({
          name: fc.constantFrom('a', 'b'),
          datatype: fc.constantFrom('FP32', 'INT64', 'BYTES', 'BOOL'),
          shape: shapes,
        }),
        { maxLength: 2 },
      ),
    });
    const value = fc.oneof(
      fc.anything({ withTypedArray: true, withBigInt: true, withDate: true, withMap: true }),
      fc.constantFrom([1, 2], 'x', 1n),
    );
    const tensors = fc.record(
      { a: fc.oneof(value, fc.record({ shape: shapes, data: value, datatype: value })), b: value },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(declarations, fc.oneof(value, tensors), async (metadata, given) => {
        [declared, answer] = [metadata, given];
        const { status, json } = await client.infer({ model: 'm', inputs: [text(['a'])] });
        expect([200, 400, 500]).toContain(status);
        if (status === 500) expect(json.error).toMatch(/^m@v1 /);
      }),
      { numRuns: 400 },
    );
  });
});
