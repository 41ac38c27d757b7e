/** A tensor, and how its elements are read from what clients and models send. */
import { type Datatype, NUMERIC, type NumericArray, type NumericDatatype, type TensorData } from './datatypes.js';

export interface Tensor {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
  data: TensorData;
}

/** As much as numpy has. */
export const MAX_RANK = 64;
/** A value from outside in an error. */
const MAX_SHOWN_CHARS = 40;

/** What a value is not; the caller says of which tensor, and whose fault it is. */
export class Misfit extends Error {}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

export function shownShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/**
 * The elements of a flat or nested array, or of a typed one, in the form of the datatype.
 * @throws Misfit
 */
export function readElements(datatype: Datatype, shape: readonly number[], data: unknown): TensorData {
  const flat = flatten(data, shape);
  const count = elementsOf(shape);
  if (flat.length !== count)
    throw new Misfit(`has ${flat.length} elements, and its shape ${shownShape(shape)} wants ${count}`);
  return datatype === 'BYTES' ? readBytes(flat) : readNumbers(datatype, flat);
}

/** @throws Misfit */
function flatten(data: unknown, shape: readonly number[]): ArrayLike<unknown> {
  if (ArrayBuffer.isView(data) && !(data instanceof DataView)) return data as NumericArray;
  if (!Array.isArray(data)) throw new Misfit(`has ${shown(data)} for its data instead of an array`);
  if (!Array.isArray(data[0])) return data;
  const flat: unknown[] = [];
  unfold(data, shape, 0, flat);
  return flat;
}

function unfold(data: unknown, shape: readonly number[], level: number, into: unknown[]): void {
  if (!Array.isArray(data) || data.length !== shape[level])
    throw new Misfit(
      `is nested in another way than its shape ${shownShape(shape)} says: dimension ${level} wants ${shape[level]} elements and has ${Array.isArray(data) ? data.length : shown(data)}`,
    );
  if (level === shape.length - 1) for (const element of data) into.push(element);
  else for (const part of data) unfold(part, shape, level + 1, into);
}

function readNumbers(datatype: NumericDatatype, flat: ArrayLike<unknown>): NumericArray {
  const { array: Target, read, expects } = NUMERIC[datatype];
  // As the model has it already; what rounds or has but two values still has to be looked at.
  if (flat instanceof Target && datatype !== 'BOOL' && datatype !== 'FP16' && datatype !== 'BF16')
    return flat as NumericArray;
  const target = new Target(flat.length);
  for (let index = 0; index < flat.length; index++) {
    const element = read(flat[index]);
    if (element === null)
      throw new Misfit(`has ${shown(flat[index])} as element ${index}, and ${datatype} is ${expects}`);
    target[index] = element;
  }
  return target;
}

function readBytes(flat: ArrayLike<unknown>): (string | Uint8Array)[] {
  return Array.from(flat, (element, index) => {
    if (typeof element === 'string' || element instanceof Uint8Array) return element;
    throw new Misfit(`has ${shown(element)} as element ${index}, and BYTES is text`);
  });
}

export function shown(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function' || value === undefined) return typeof value;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}
