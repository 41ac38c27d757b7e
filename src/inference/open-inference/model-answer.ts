/** What a model answered, as tensors. What does not fit its declaration is the model's fault: SUP_MODEL_ERROR. */
import { SupError } from '../../errors.js';
import type { ModelMetadata, TensorMetadata } from '../../master/model-status.js';
import { type Datatype, isDatatype, NUMERIC, type NumericArray, type TensorData } from './datatypes.js';
import { fits, names } from './declared.js';
import { elementsOf, Misfit, readElements, shown, shownShape, type Tensor } from './tensor.js';

type Fields = Record<string, unknown>;

/** @param answers one for each input, in order. @throws SupError SUP_MODEL_ERROR */
export function outputsOf(answers: readonly unknown[], model: ModelMetadata): Tensor[] {
  return model.rows ? stack(answers, model) : fromTensors(answers[0], model);
}

/** An object of tensors by name. */
function fromTensors(answer: unknown, model: ModelMetadata): Tensor[] {
  if (!isFields(answer))
    throw wrong(
      model,
      `answered with ${shown(answer)} instead of an object of tensors by name: {name: {datatype, shape, data}}`,
    );
  const declared = new Map(model.outputs.map((output) => [output.name, output]));
  if (declared.size > 0) checkNames(Object.keys(answer), model);
  const order = declared.size > 0 ? [...declared.keys()] : Object.keys(answer);
  return order.map((name) => {
    const given = answer[name];
    if (!isFields(given)) throw wrong(model, `answered output '${name}' with ${shown(given)} instead of {shape, data}`);
    return tensor(name, given, declared.get(name) ?? null, model);
  });
}

function tensor(name: string, given: Fields, declared: TensorMetadata | null, model: ModelMetadata): Tensor {
  const datatype = given.datatype ?? declared?.datatype;
  if (!isDatatype(datatype)) throw wrong(model, `answered output '${name}' with the datatype ${shown(datatype)}`);
  if (declared && datatype !== declared.datatype)
    throw wrong(model, `answered output '${name}' as ${datatype}, and declares ${declared.datatype}`);
  const { shape } = given;
  if (!isShape(shape)) throw wrong(model, `answered output '${name}' without a shape: an array of whole numbers`);
  return checked(name, datatype, [...shape], given.data, declared, model);
}

/** The rows of each output one behind the other. */
function stack(answers: readonly unknown[], model: ModelMetadata): Tensor[] {
  if (model.outputs.length === 0)
    throw wrong(model, 'declares no outputs, and rows can only be put together where their datatype is known');
  return model.outputs.map((output) => {
    const rows = answers.map((answer) => cell(answer, output.name, model));
    const wanted = output.shape.slice(1);
    const shape = shapeOfRow(rows[0], wanted, output, model);
    return checked(
      output.name,
      output.datatype as Datatype,
      [rows.length, ...shape],
      joined(rows, shape, output, model),
      output,
      model,
    );
  });
}

/** One row of one output: the answer itself where there is but one, unless it is an object with the name in it. */
function cell(answer: unknown, name: string, model: ModelMetadata): unknown {
  const single = model.outputs.length === 1;
  if (!isFields(answer)) {
    if (single) return answer;
    throw wrong(model, `answered with ${shown(answer)} instead of an object with ${names(model.outputs)}`);
  }
  if (!single || name in answer) checkNames(Object.keys(answer), model);
  return answer[name];
}

/** Its own shape where it is nested; else the declared one, with at most one dimension to be found from its length. */
function shapeOfRow(row: unknown, wanted: readonly number[], output: TensorMetadata, model: ModelMetadata): number[] {
  const { name } = output;
  if (isElement(row, output)) return [];
  if (Array.isArray(row) && Array.isArray(row[0])) return shapeOfNested(row);
  const known = wanted.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const open = wanted.filter((length) => length === -1).length;
  if (open > 1)
    throw wrong(model, `answered output '${name}' with a flat row, and its shape has ${open} open dimensions: nest it`);
  return wanted.map((length) => (length === -1 ? Math.floor((row as unknown[]).length / Math.max(1, known)) : length));
}

function shapeOfNested(row: unknown): number[] {
  const shape: number[] = [];
  for (let level = row; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

function joined(
  rows: readonly unknown[],
  shape: readonly number[],
  output: TensorMetadata,
  model: ModelMetadata,
): unknown {
  if (shape.length === 0 && rows.every((row) => isElement(row, output))) return rows;
  const size = elementsOf(shape);
  const datatype = output.datatype as Datatype;
  const target: TensorData = datatype === 'BYTES' ? [] : new NUMERIC[datatype].array(rows.length * size);
  for (const [index, row] of rows.entries()) {
    try {
      const elements = readElements(datatype, shape, isElement(row, output) ? [row] : row);
      if (Array.isArray(target)) for (const element of elements as string[]) target.push(element);
      else (target as Uint8Array).set(elements as Uint8Array, index * size);
    } catch (error) {
      throw error instanceof Misfit
        ? wrong(model, `answered row ${index} of output '${output.name}', which ${error.message}`)
        : error;
    }
  }
  return target;
}

function checked(
  name: string,
  datatype: Datatype,
  shape: number[],
  data: unknown,
  declared: TensorMetadata | null,
  model: ModelMetadata,
): Tensor {
  if (declared && !fits(shape, declared.shape))
    throw wrong(
      model,
      `answered output '${name}' with the shape ${shownShape(shape)}, and declares ${shownShape(declared.shape)}`,
    );
  try {
    return { name, datatype, shape, data: readElements(datatype, shape, data) };
  } catch (error) {
    throw error instanceof Misfit ? wrong(model, `answered output '${name}', which ${error.message}`) : error;
  }
}

function checkNames(given: readonly string[], model: ModelMetadata): void {
  const declared = model.outputs.map(({ name }) => name);
  const missing = declared.filter((name) => !given.includes(name));
  if (missing.length > 0) throw wrong(model, `answered without the output ${missing.join(', ')}`);
  const extra = given.filter((name) => !declared.includes(name));
  if (extra.length > 0)
    throw wrong(model, `answered with ${extra.join(', ')}, and declares only ${declared.join(', ')}`);
}

function wrong(model: ModelMetadata, what: string): SupError {
  return new SupError('SUP_MODEL_ERROR', `${model.name}@${model.version} ${what}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !isList(value);
}

function isList(value: unknown): value is unknown[] | NumericArray {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** One element of a tensor, and not several. */
function isElement(row: unknown, { datatype }: TensorMetadata): boolean {
  return !isList(row) || (datatype === 'BYTES' && row instanceof Uint8Array);
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((length) => Number.isSafeInteger(length) && length >= 0);
}
