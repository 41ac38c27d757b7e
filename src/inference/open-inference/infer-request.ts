/** What an infer request says: its JSON part, and the binary data behind it. */
import { isUtf8 } from 'node:buffer';
import { badRequest } from '../../http/fields.js';
import { invalidJson } from '../../http/json-body.js';
import { DATATYPES, type Datatype, isDatatype } from './datatypes.js';
import { parseExactly } from './exact-json.js';
import { MAX_RANK, shown } from './tensor.js';

export interface InferRequest {
  id: string | null;
  /** As everywhere here: higher goes first, 0 where nothing is said. */
  priority: number;
  timeoutMs: number | null;
  inputs: InferInput[];
  /** Null: all of them. */
  outputs: RequestedOutput[] | null;
  /** How outputs come that say nothing themselves. */
  binaryOutputs: boolean;
  /** Data of the model's only input, without a word on its shape; then `inputs` is empty. */
  raw: Buffer | null;
}

export interface InferInput {
  name: string;
  datatype: Datatype;
  shape: number[];
  /** A Buffer: binary data. */
  data: unknown[] | Buffer;
}

export interface RequestedOutput {
  name: string;
  /** Null: as the request says for all. */
  binary: boolean | null;
}

type Fields = Record<string, unknown>;

/** 1 is the first of the protocol's levels. This one stands for no word on it: lower ones go before it, higher ones after it. */
const DEFAULT_LEVEL = 10;
const MAX_TIMEOUT_MS = 86_400_000;
const MAX_NAME_CHARS = 256;
/** What would change the answer and is not there. */
const UNSUPPORTED = ['sequence_id', 'shared_memory_region', 'classification'];

/**
 * @param headerLength the header Inference-Header-Content-Length: bytes of the JSON part; null where all is JSON
 * @throws SupError SUP_BAD_REQUEST that names the field
 */
export function readInferRequest(body: Buffer, headerLength: number | null): InferRequest {
  if (headerLength === 0) return rawRequest(body);
  if (headerLength !== null && headerLength > body.length)
    throw badRequest(`Inference-Header-Content-Length is ${headerLength}, and the body has only ${body.length} bytes`);
  const request = fields(parse(body.subarray(0, headerLength ?? body.length)), 'the body');
  const parameters = parametersOf(request, 'the request');
  const binary = new BinaryPart(headerLength === null ? null : body.subarray(headerLength));
  const inputs = list(request.inputs, 'inputs').map((input, index) => readInput(input, `inputs[${index}]`, binary));
  binary.finish();
  distinct(inputs, 'inputs');
  return {
    id: request.id === undefined ? null : text(request.id, 'id'),
    priority: priorityOf(parameters.priority),
    timeoutMs: timeoutOf(parameters.timeout),
    inputs,
    outputs: readOutputs(request.outputs),
    binaryOutputs: flag(parameters.binary_data_output, 'binary_data_output') ?? false,
    raw: null,
  };
}

/** @throws SupError SUP_BAD_REQUEST */
export function readHeaderLength(header: string | string[] | undefined): number | null {
  if (header === undefined) return null;
  if (!/^\d{1,15}$/.test(String(header))) throw badRequest('Inference-Header-Content-Length must be a number of bytes');
  return Number(header);
}

function rawRequest(raw: Buffer): InferRequest {
  return { id: null, priority: 0, timeoutMs: null, inputs: [], outputs: null, binaryOutputs: true, raw };
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes))
    throw badRequest('the JSON of the body is not UTF-8; binary data needs Inference-Header-Content-Length');
  try {
    return parseExactly(bytes.toString('utf8'));
  } catch (error) {
    throw invalidJson(error);
  }
}

/** The bytes behind the JSON: each input that says so takes its own, in order. */
class BinaryPart {
  #at = 0;

  constructor(private readonly bytes: Buffer | null) {}

  take(size: number, where: string): Buffer {
    if (this.bytes === null)
      throw badRequest(`${where} has binary_data_size, and the header Inference-Header-Content-Length is missing`);
    const from = this.#at;
    this.#at += size;
    if (this.#at > this.bytes.length)
      throw badRequest(
        `${where} wants ${size} bytes of binary data, and the body has only ${this.bytes.length - from} left`,
      );
    return this.bytes.subarray(from, this.#at);
  }

  finish(): void {
    const left = (this.bytes?.length ?? 0) - this.#at;
    if (left > 0)
      throw badRequest(`the body has ${left} bytes of binary data that no input's binary_data_size asks for`);
  }
}

function readInput(value: unknown, where: string, binary: BinaryPart): InferInput {
  const input = fields(value, where);
  const name = nameOf(input.name, `${where}.name`);
  const label = `input '${name}'`;
  if (!isDatatype(input.datatype))
    throw badRequest(`${label} has the datatype ${shown(input.datatype)}; there are: ${DATATYPES.join(', ')}`);
  const size = parametersOf(input, label).binary_data_size;
  if (size !== undefined && input.data !== undefined)
    throw badRequest(`${label} has both data and binary_data_size: send one of them`);
  if (size === undefined && !Array.isArray(input.data))
    throw badRequest(`${label} needs 'data', an array of its elements, or the parameter binary_data_size`);
  if (size !== undefined && !isCount(size)) throw badRequest(`${label}: binary_data_size must be a number of bytes`);
  return {
    name,
    datatype: input.datatype,
    shape: shapeOf(input.shape, label),
    data: isCount(size) ? binary.take(size, label) : (input.data as unknown[]),
  };
}

function shapeOf(value: unknown, label: string): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isCount))
    throw badRequest(`${label}: 'shape' must be an array of at most ${MAX_RANK} whole numbers, none below 0`);
  return value;
}

function readOutputs(value: unknown): RequestedOutput[] | null {
  if (value === undefined) return null;
  const outputs = list(value, 'outputs').map((each, index): RequestedOutput => {
    const output = fields(each, `outputs[${index}]`);
    const name = nameOf(output.name, `outputs[${index}].name`);
    const { binary_data } = parametersOf(output, `output '${name}'`);
    return { name, binary: flag(binary_data, `output '${name}': binary_data`) };
  });
  distinct(outputs, 'outputs');
  return outputs.length === 0 ? null : outputs;
}

function priorityOf(value: unknown): number {
  if (value === undefined || value === 0) return 0;
  if (!isCount(value)) throw badRequest("'priority' must be a whole number: 1 goes first, 0 is the default");
  return DEFAULT_LEVEL - value;
}

function timeoutOf(value: unknown): number | null {
  if (value === undefined || value === 0) return null;
  if (!isCount(value) || value / 1000 > MAX_TIMEOUT_MS)
    throw badRequest(
      `'timeout' must be a whole number of microseconds up to ${MAX_TIMEOUT_MS * 1000}; 0 is the default`,
    );
  return value / 1000;
}

function parametersOf(owner: Fields, where: string): Fields {
  const parameters = owner.parameters === undefined ? {} : fields(owner.parameters, `the parameters of ${where}`);
  for (const name of UNSUPPORTED)
    if (parameters[name] !== undefined && parameters[name] !== 0)
      throw badRequest(`the parameter '${name}' of ${where} is not supported here`);
  return parameters;
}

function distinct(named: readonly { name: string }[], where: string): void {
  const seen = new Set<string>();
  for (const { name } of named) {
    if (seen.has(name)) throw badRequest(`${where} has '${name}' twice`);
    seen.add(name);
  }
}

function fields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest(`${where} must be a JSON object`);
  return value as Fields;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw badRequest(`'${where}' must be an array`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') throw badRequest(`'${where}' must be a text`);
  return value;
}

function nameOf(value: unknown, where: string): string {
  const name = text(value, where);
  // Models get tensors as an object by name.
  if (name === '' || name === '__proto__' || name.length > MAX_NAME_CHARS)
    throw badRequest(`'${where}' must be a name of 1 to ${MAX_NAME_CHARS} characters`);
  return name;
}

function flag(value: unknown, where: string): boolean | null {
  if (value === undefined) return null;
  if (typeof value !== 'boolean') throw badRequest(`'${where}' must be true or false`);
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
