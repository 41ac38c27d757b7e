/** A request's tensors against what the model declares. What it does not declare is not checked. */
import { SupError } from '../../errors.js';
import { badRequest } from '../../http/fields.js';
import type { ModelMetadata } from '../../master/model-status.js';
import { decode, textOrBytes } from './binary.js';
import { DATATYPES, type Datatype, isDatatype, NUMERIC } from './datatypes.js';
import type { InferInput, InferRequest, RequestedOutput } from './infer-request.js';
import { Misfit, readElements, shown, shownShape, type Tensor } from './tensor.js';

/** @throws SupError SUP_MODEL_ERROR for a datatype that is none of the protocol's */
export function checkDeclaration(model: ModelMetadata): void {
  for (const { name, datatype } of [...model.inputs, ...model.outputs])
    if (!isDatatype(datatype))
      throw new SupError(
        'SUP_MODEL_ERROR',
        `${model.name}@${model.version} declares '${name}' as ${shown(datatype)}; there are: ${DATATYPES.join(', ')}`,
      );
}

/** In the order of the declaration. @throws SupError SUP_BAD_REQUEST that names the tensor */
export function readInputs(request: InferRequest, model: ModelMetadata): Tensor[] {
  if (request.raw) return [rawInput(request.raw, model)];
  if (request.inputs.length === 0) throw badRequest("'inputs' has no tensor");
  const { inputs: declared } = model;
  if (declared.length === 0) return request.inputs.map(readTensor);
  const given = new Map(request.inputs.map((input) => [input.name, input]));
  for (const name of given.keys())
    if (!declared.some((each) => each.name === name))
      throw badRequest(`${model.name} has no input '${name}'; it takes: ${names(declared)}`);
  return declared.map((wanted) => {
    const input = given.get(wanted.name);
    if (!input) throw badRequest(`the input '${wanted.name}' is missing; ${model.name} takes: ${names(declared)}`);
    if (input.datatype !== wanted.datatype)
      throw badRequest(`input '${input.name}' is ${input.datatype}, and ${model.name} takes ${wanted.datatype}`);
    if (!fits(input.shape, wanted.shape))
      throw badRequest(
        `input '${input.name}' has the shape ${shownShape(input.shape)}, and ${model.name} takes ${shownShape(wanted.shape)} (-1 is any length)`,
      );
    return readTensor(input);
  });
}

/** @throws SupError SUP_BAD_REQUEST */
export function checkOutputs(requested: readonly RequestedOutput[] | null, model: ModelMetadata): void {
  if (requested === null || model.outputs.length === 0) return;
  for (const { name } of requested)
    if (!model.outputs.some((declared) => declared.name === name))
      throw badRequest(`${model.name} has no output '${name}'; it has: ${names(model.outputs)}`);
}

export function fits(shape: readonly number[], declared: readonly number[]): boolean {
  return (
    shape.length === declared.length && declared.every((length, index) => length === -1 || length === shape[index])
  );
}

export function names(tensors: readonly { name: string }[]): string {
  return tensors.map(({ name }) => name).join(', ');
}

function readTensor({ name, datatype, shape, data }: InferInput): Tensor {
  try {
    return {
      name,
      datatype,
      shape,
      data: Buffer.isBuffer(data) ? decode(datatype, shape, data) : readElements(datatype, shape, data),
    };
  } catch (error) {
    throw error instanceof Misfit ? badRequest(`input '${name}' ${error.message}`) : error;
  }
}

/** A body of nothing but data: what it is follows from the declaration of the only input, and from its length. */
function rawInput(bytes: Buffer, model: ModelMetadata): Tensor {
  const [input] = model.inputs;
  if (!input || model.inputs.length > 1)
    throw badRequest(
      `a body without JSON (Inference-Header-Content-Length: 0) is for models with one declared input; ${model.name} has ${model.inputs.length}`,
    );
  const { name } = input;
  const datatype = input.datatype as Datatype;
  const unknown = (why: string) => badRequest(`input '${name}' of a body without JSON ${why}; send its shape as JSON`);
  if (datatype === 'BYTES') {
    if (!fits([1], input.shape)) throw unknown(`must have the shape [1], and is ${shownShape(input.shape)}`);
    return { name, datatype, shape: [1], data: [textOrBytes(bytes)] };
  }
  // One row, where inputs are rows.
  const declared = model.rows && input.shape[0] === -1 ? [1, ...input.shape.slice(1)] : input.shape;
  if (declared.filter((length) => length === -1).length > 1) throw unknown('has more than one open dimension');
  const known = declared.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const open = known === 0 ? 0 : bytes.length / NUMERIC[datatype].bytes / known;
  const shape = declared.map((length) => (length === -1 ? Math.floor(open) : length));
  return readTensor({ name, datatype, shape, data: bytes });
}
