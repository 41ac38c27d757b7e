/** The answer to an infer request: JSON, and behind it the outputs that were asked for as binary data. */
import { isUtf8 } from 'node:buffer';
import { badRequest } from '../../http/fields.js';
import { encode } from './binary.js';
import type { NumericArray } from './datatypes.js';
import type { InferRequest } from './infer-request.js';
import type { Tensor } from './tensor.js';

export interface InferAnswer {
  body: Buffer | string;
  /** Bytes of the JSON where binary data follows it. */
  headerLength: number | null;
}

/**
 * @param outputs all that the model gave
 * @throws SupError SUP_BAD_REQUEST for an output that does not exist, or that JSON has no form for
 */
export function writeAnswer(
  request: InferRequest,
  model: string,
  version: string,
  outputs: readonly Tensor[],
): InferAnswer {
  const binary: Buffer[] = [];
  const tensors = requested(request, outputs).map(([tensor, asBinary]) => {
    const { name, shape, datatype } = tensor;
    if (!asBinary) return tensorJson({ name, shape, datatype }, `"data":${dataJson(tensor)}`);
    const bytes = encode(datatype, tensor.data);
    binary.push(bytes);
    return tensorJson({ name, shape, datatype }, `"parameters":{"binary_data_size":${bytes.length}}`);
  });
  const head = { model_name: model, model_version: version, ...(request.id !== null && { id: request.id }) };
  const json = `${JSON.stringify(head).slice(0, -1)},"outputs":[${tensors.join(',')}]}`;
  if (binary.length === 0) return { body: json, headerLength: null };
  const header = Buffer.from(json);
  return { body: Buffer.concat([header, ...binary]), headerLength: header.length };
}

function requested({ outputs: wanted, binaryOutputs }: InferRequest, outputs: readonly Tensor[]): [Tensor, boolean][] {
  if (wanted === null) return outputs.map((tensor) => [tensor, binaryOutputs]);
  return wanted.map(({ name, binary }) => {
    const tensor = outputs.find((each) => each.name === name);
    if (!tensor)
      throw badRequest(`the model gave no output '${name}'; it gave: ${outputs.map((each) => each.name).join(', ')}`);
    return [tensor, binary ?? binaryOutputs];
  });
}

/** Written by hand, since JSON.stringify has no form for a bigint. */
function tensorJson(fields: Record<string, unknown>, more: string): string {
  return `${JSON.stringify(fields).slice(0, -1)},${more}}`;
}

function dataJson({ name, datatype, data }: Tensor): string {
  const askForBinary = (what: string) =>
    badRequest(`output '${name}' has ${what}, which JSON has no form for: ask for it with the parameter binary_data`);
  switch (datatype) {
    case 'BYTES': {
      const texts = (data as (string | Uint8Array)[]).map((element) => {
        if (typeof element === 'string') return element;
        if (!isUtf8(element)) throw askForBinary('bytes that are not UTF-8 text');
        return Buffer.from(element).toString('utf8');
      });
      return JSON.stringify(texts);
    }
    case 'BOOL':
      return `[${Array.from(data as Uint8Array, (element) => element === 1).join(',')}]`;
    case 'FP16':
    case 'BF16':
    case 'FP32':
    case 'FP64':
      if (!(data as Float64Array).every(Number.isFinite)) throw askForBinary('a NaN or an infinity');
      return `[${(data as Float64Array).join(',')}]`;
    default:
      return `[${(data as NumericArray).join(',')}]`;
  }
}
