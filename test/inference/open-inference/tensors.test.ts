import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from './client.js';
import { misfits } from './spec-fields.js';
import { model, serve, tensor, text, undeclared } from './support.js';

describe('whole tensors', () => {
  it('are one input: an object by name, and so is the answer', async () => {
    let seen: readonly unknown[] = [];
    const { client } = await serve(
      model({ ...undeclared, outputs: [{ name: 'sum', datatype: 'FP64', shape: [] }] }, (inputs) => {
        seen = inputs;
        return [{ sum: { shape: [], data: [10] } }];
      }),
    );
    const inputs = [
      tensor(
        'a',
        'INT8',
        [
          [1, -2],
          [3, -4],
        ],
        [2, 2],
      ),
      text(['ü']),
    ];
    const reply = await client.infer({ model: 'm', inputs });
    expect(seen).toEqual([
      {
        a: { datatype: 'INT8', shape: [2, 2], data: Int8Array.of(1, -2, 3, -4) },
        text: { datatype: 'BYTES', shape: [1], data: ['ü'] },
      },
    ]);
    expect(reply.json.outputs).toEqual([{ name: 'sum', shape: [], datatype: 'FP64', data: [10] }]);
  });

  const one = (shape: number[]) => fc.integer({ min: 0, max: 3 }).map((n) => [n, ...shape]);
  const elements: Record<string, fc.Arbitrary<unknown>> = {
    BOOL: fc.boolean(),
    UINT8: fc.integer({ min: 0, max: 255 }),
    UINT16: fc.integer({ min: 0, max: 65535 }),
    UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    INT8: fc.integer({ min: -128, max: 127 }),
    INT16: fc.integer({ min: -32768, max: 32767 }),
    INT32: fc.integer(),
    INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    FP32: fc.float({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    FP64: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    BYTES: fc.string({ unit: 'grapheme' }),
  };

  it.each(Object.keys(elements))(
    '%s comes back as it was sent, as JSON and as binary data, nested and flat',
    async (datatype) => {
      const { client } = await serve(model(undeclared));
      const filled = one([2]).chain((shape) =>
        fc
          .array(elements[datatype] as fc.Arbitrary<unknown>, {
            minLength: (shape[0] as number) * 2,
            maxLength: (shape[0] as number) * 2,
          })
          .map((data) => ({ shape, data })),
      );
      await fc.assert(
        fc.asyncProperty(
          filled,
          fc.boolean(),
          fc.boolean(),
          fc.boolean(),
          async ({ shape, data }, binaryIn, binaryOut, nested) => {
            const pairs = Array.from({ length: shape[0] as number }, (_, i) => data.slice(2 * i, 2 * i + 2));
            const reply = await client.infer({
              model: 'm',
              inputs: [{ name: 'x', datatype, shape, data: nested && !binaryIn ? pairs : data, binary: binaryIn }],
              outputs: [{ name: 'x', parameters: { binary_data: binaryOut } }],
            });
            const [output] = reply.outputs;
            expect(output).toMatchObject({ name: 'x', datatype, shape, binary: binaryOut });
            const got = output?.data as Value[];
            // The test's client reads numbers of JSON as JSON.parse does.
            if (!binaryOut && typeof data[0] === 'bigint')
              expect(String(reply.bytes)).toContain(`"data":[${data.join(',')}]`);
            else expect(got.map((each) => (each instanceof Uint8Array ? each.toString() : each))).toEqual(data);
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  it.each(['FP16', 'BF16'])('%s are 32-bit floats to the model, rounded as the type is', async (datatype) => {
    let seen: unknown;
    const { client } = await serve(
      model(undeclared, (inputs) => {
        seen = (inputs[0] as { x: { data: unknown } }).x.data;
        return [...inputs];
      }),
    );
    const bits = [0x0000, 0x3c00, 0xbc00, 0x7bff, 0x7f80, 0x0001, 0x7c00];
    const reply = await client.infer({
      model: 'm',
      parameters: { binary_data_output: true },
      inputs: [{ ...tensor('x', datatype, bits), binary: true }],
    });
    expect(seen).toBeInstanceOf(Float32Array);
    const echoed = reply.outputs[0]?.data as number[];
    // One of the patterns is a NaN in FP16.
    expect(echoed.filter((_, i) => i !== 4)).toEqual(bits.filter((_, i) => i !== 4));
    const rounded = await client.infer({ model: 'm', inputs: [tensor('x', datatype, [0.1, 1, -2.5])] });
    expect(rounded.outputs[0]?.data).toEqual([datatype === 'FP16' ? 0.0999755859375 : 0.10009765625, 1, -2.5]);
  });

  it('takes no whole number that may have lost digits', async () => {
    const { client } = await serve(
      model(undeclared, () => [{ x: { datatype: 'INT64', shape: [1], data: [2 ** 60] } }]),
    );
    const send = (number: string) =>
      client.send(
        'POST',
        '/v2/models/m/infer',
        Buffer.from(`{"inputs":[{"name":"x","datatype":"UINT64","shape":[1],"data":[${number}]}]}`),
      );
    const refused = await send('1e18');
    expect([refused.status, refused.json.error]).toEqual([
      400,
      expect.stringMatching(/UINT64 is a whole number from 0/),
    ]);
    const answered = await send('9007199254740993');
    expect([answered.status, answered.json.error]).toEqual([500, expect.stringMatching(/has 1152921504606847000 as/)]);
  });

  it('gives elements that are not UTF-8 as their bytes', async () => {
    let seen: unknown;
    const { client } = await serve(
      model(undeclared, (inputs) => {
        seen = (inputs[0] as { x: { data: unknown } }).x.data;
        return [...inputs];
      }),
    );
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
    const reply = await client.infer({
      model: 'm',
      parameters: { binary_data_output: true },
      inputs: [{ ...tensor('x', 'BYTES', [jpeg, 'plain', '']), binary: true }],
    });
    expect(seen).toEqual([jpeg, 'plain', '']);
    expect(reply.outputs[0]?.data).toEqual([Buffer.from(jpeg), Buffer.from('plain'), Buffer.from('')]);
  });

  it('refuses to write what JSON has no form for', async () => {
    const { client } = await serve(
      model(undeclared, () => [{ x: { datatype: 'FP32', shape: [2], data: [1, Number.NaN] } }]),
    );
    const call = { model: 'm', inputs: [tensor('x', 'FP32', [1])] };
    const reply = await client.infer(call);
    expect([reply.status, reply.json.error]).toEqual([400, expect.stringMatching(/output 'x' has a NaN.*binary_data/)]);
    const binary = await client.infer({ ...call, parameters: { binary_data_output: true } });
    expect(binary.outputs[0]?.data).toEqual([1, Number.NaN]);
  });

  it.each<[string, unknown, RegExp]>([
    ['a list', [1], /an array instead of an object of tensors by name/],
    ['no tensor', { out: 5 }, /output 'out' with 5 instead of \{shape, data\}/],
    ['no shape', { out: { data: [1] } }, /output 'out' without a shape/],
    ['another datatype', { out: { datatype: 'INT8', shape: [1], data: [1] } }, /'out' as INT8, and declares FP32/],
    ['another shape', { out: { shape: [1, 2], data: [1, 2] } }, /shape \[1, 2\], and declares \[-1\]/],
    ['too little', { out: { shape: [3], data: [1] } }, /'out', which has 1 elements, and its shape \[3\] wants 3/],
    ['no data', { out: { shape: [1] } }, /'out', which has undefined for its data/],
    ['a text', { out: { shape: [1], data: ['1'] } }, /has "1" as element 0, and FP32 is a number/],
    ['another output', { put: { shape: [1], data: [1] } }, /answered without the output out/],
  ])('blames the model for %s', async (_name, answer, message) => {
    const outputs = [{ name: 'out', datatype: 'FP32', shape: [-1] }];
    const { client } = await serve(model({ ...undeclared, outputs }, () => [answer]));
    const reply = await client.infer({ model: 'm', inputs: [tensor('x', 'FP32', [1])] });
    expect([reply.status, reply.json.error]).toEqual([500, expect.stringMatching(message)]);
    expect(misfits('error_response', reply.json)).toEqual([]);
  });
});
