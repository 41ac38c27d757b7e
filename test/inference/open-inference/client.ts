/**
 * A client of the Open Inference Protocol, written from the published text of the protocol and of its binary data extension alone: it
 * shares nothing with what it tests.
 */
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { target } from '../../http/client.js';

export type Value = number | bigint | string | boolean | Uint8Array;

export interface InputTensor {
  name: string;
  datatype: string;
  shape: number[];
  /** Flat; or nested, which only JSON can carry. */
  data: readonly unknown[];
  binary?: boolean;
}

export interface InferCall {
  model: string;
  version?: string;
  id?: string;
  parameters?: Record<string, unknown>;
  inputs: InputTensor[];
  outputs?: { name: string; parameters?: Record<string, unknown> }[];
}

export interface OutputTensor {
  name: string;
  datatype: string;
  shape: number[];
  data: Value[];
  binary: boolean;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: answers of any shape are looked into by the tests
  json: any;
}

export interface InferReply extends Reply {
  outputs: OutputTensor[];
}

const SIZES: Record<string, number> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
};

export class Client {
  constructor(
    private readonly at: string,
    private readonly headers: OutgoingHttpHeaders = {},
  ) {}

  get(path: string): Promise<Reply> {
    return this.send('GET', path);
  }

  /** Without a content type, as clients of this protocol do. */
  post(path: string, json?: unknown, headers: OutgoingHttpHeaders = {}): Promise<Reply> {
    return this.send('POST', path, json === undefined ? undefined : Buffer.from(JSON.stringify(json)), headers);
  }

  async infer(call: InferCall, headers: OutgoingHttpHeaders = {}): Promise<InferReply> {
    const { body, headerLength } = inferBody(call);
    const version = call.version === undefined ? '' : `/versions/${call.version}`;
    const reply = await this.send('POST', `/v2/models/${encodeURIComponent(call.model)}${version}/infer`, body, {
      ...(headerLength !== null && { 'inference-header-content-length': headerLength }),
      ...headers,
    });
    return { ...reply, outputs: reply.status === 200 ? readOutputs(reply) : [] };
  }

  async send(method: string, path: string, body?: Buffer, headers: OutgoingHttpHeaders = {}): Promise<Reply> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request({
        agent: false,
        ...target(this.at),
        method,
        path,
        headers: { ...(body && { 'content-length': body.length }), ...this.headers, ...headers },
      })
        .on('response', resolve)
        .on('error', reject)
        .end(body);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const length = response.headers['inference-header-content-length'];
    const text = bytes.subarray(0, length === undefined ? bytes.length : Number(length)).toString();
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      bytes,
      json: text === '' ? null : JSON.parse(text),
    };
  }
}

/** The bytes of an infer request. */
export function inferBody({ id, parameters, inputs, outputs }: InferCall): {
  body: Buffer;
  headerLength: number | null;
} {
  const binary: Buffer[] = [];
  const tensors = inputs.map(({ name, datatype, shape, data, binary: asBinary }) => {
    if (!asBinary)
      return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":${JSON.stringify(shape)},"data":${jsonOf(data)}}`;
    const bytes = toBytes(datatype, data as Value[]);
    binary.push(bytes);
    return JSON.stringify({ name, datatype, shape, parameters: { binary_data_size: bytes.length } });
  });
  const rest = JSON.stringify({
    ...(id !== undefined && { id }),
    ...(parameters && { parameters }),
    ...(outputs && { outputs }),
  });
  const json = `{"inputs":[${tensors.join(',')}]${rest === '{}' ? '' : `,${rest.slice(1, -1)}`}}`;
  const header = Buffer.from(json);
  return { body: Buffer.concat([header, ...binary]), headerLength: binary.length > 0 ? header.length : null };
}

function jsonOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

function readOutputs({ bytes, json, headers }: Reply): OutputTensor[] {
  let at = Number(headers['inference-header-content-length'] ?? bytes.length);
  const outputs = (json.outputs as Record<string, unknown>[]).map((output): OutputTensor => {
    const { name, datatype, shape, data, parameters } = output as unknown as OutputTensor & {
      parameters?: { binary_data_size?: number };
    };
    const size = parameters?.binary_data_size;
    if (size === undefined) return { name, datatype, shape, data, binary: false };
    const part = bytes.subarray(at, at + size);
    at += size;
    return { name, datatype, shape, data: fromBytes(datatype, part), binary: true };
  });
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are left behind the outputs`);
  return outputs;
}

export function toBytes(datatype: string, data: readonly Value[]): Buffer {
  if (datatype === 'BYTES')
    return Buffer.concat(
      data.flatMap((value) => {
        const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value as Uint8Array);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return [length, bytes];
      }),
    );
  const size = SIZES[datatype] as number;
  const bytes = Buffer.alloc(size * data.length);
  for (const [index, value] of data.entries()) write(datatype, bytes, index * size, value);
  return bytes;
}

export function fromBytes(datatype: string, bytes: Buffer): Value[] {
  const values: Value[] = [];
  if (datatype === 'BYTES') {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + bytes.readUInt32LE(at);
      values.push(bytes.subarray(at + 4, end));
      at = end;
    }
    return values;
  }
  const size = SIZES[datatype] as number;
  for (let at = 0; at < bytes.length; at += size) values.push(read(datatype, bytes, at));
  return values;
}

/** FP16 and BF16 are given and got as their 16 bits. */
function write(datatype: string, bytes: Buffer, at: number, value: Value): void {
  switch (datatype) {
    case 'BOOL':
      return void bytes.writeUInt8(value ? 1 : 0, at);
    case 'UINT8':
      return void bytes.writeUInt8(value as number, at);
    case 'UINT16':
    case 'FP16':
    case 'BF16':
      return void bytes.writeUInt16LE(value as number, at);
    case 'UINT32':
      return void bytes.writeUInt32LE(value as number, at);
    case 'UINT64':
      return void bytes.writeBigUInt64LE(value as bigint, at);
    case 'INT8':
      return void bytes.writeInt8(value as number, at);
    case 'INT16':
      return void bytes.writeInt16LE(value as number, at);
    case 'INT32':
      return void bytes.writeInt32LE(value as number, at);
    case 'INT64':
      return void bytes.writeBigInt64LE(value as bigint, at);
    case 'FP32':
      return void bytes.writeFloatLE(value as number, at);
    default:
      return void bytes.writeDoubleLE(value as number, at);
  }
}

function read(datatype: string, bytes: Buffer, at: number): Value {
  switch (datatype) {
    case 'BOOL':
      return bytes.readUInt8(at) === 1;
    case 'UINT8':
      return bytes.readUInt8(at);
    case 'UINT16':
    case 'FP16':
    case 'BF16':
      return bytes.readUInt16LE(at);
    case 'UINT32':
      return bytes.readUInt32LE(at);
    case 'UINT64':
      return bytes.readBigUInt64LE(at);
    case 'INT8':
      return bytes.readInt8(at);
    case 'INT16':
      return bytes.readInt16LE(at);
    case 'INT32':
      return bytes.readInt32LE(at);
    case 'INT64':
      return bytes.readBigInt64LE(at);
    case 'FP32':
      return bytes.readFloatLE(at);
    default:
      return bytes.readDoubleLE(at);
  }
}
