/**
 * Tensors as bytes: little-endian, row-major, no padding; an element of BYTES is its length in four bytes and then itself.
 * Typed arrays are copied as they are, so this is for little-endian machines, as are all that Node is built for but one.
 */
import { isUtf8 } from 'node:buffer';
import { type Datatype, NUMERIC, type NumericArray, type NumericDatatype, type TensorData } from './datatypes.js';
import { elementsOf, Misfit, shownShape } from './tensor.js';

const LENGTH_BYTES = 4;

/** @throws Misfit */
export function decode(datatype: Datatype, shape: readonly number[], bytes: Buffer): TensorData {
  const count = elementsOf(shape);
  return datatype === 'BYTES' ? decodeBytes(count, bytes) : decodeNumbers(datatype, shape, count, bytes);
}

export function encode(datatype: Datatype, data: TensorData): Buffer {
  return datatype === 'BYTES'
    ? encodeBytes(data as (string | Uint8Array)[])
    : encodeNumbers(datatype, data as NumericArray);
}

/** Bytes that are text become a string; others stay what they are. */
export function textOrBytes(bytes: Buffer): string | Uint8Array {
  return isUtf8(bytes) ? bytes.toString('utf8') : new Uint8Array(bytes);
}

function decodeNumbers(
  datatype: NumericDatatype,
  shape: readonly number[],
  count: number,
  bytes: Buffer,
): NumericArray {
  const { bytes: size, array: Target, bits, read, expects } = NUMERIC[datatype];
  if (bytes.length !== count * size)
    throw new Misfit(
      `has ${bytes.length} bytes of binary data, and its shape ${shownShape(shape)} of ${datatype} wants ${count * size}`,
    );
  // A copy: a view of the request's body would have to be aligned, and would keep all of it in memory.
  const copy = new Uint8Array(bytes).buffer;
  if (bits) return Float32Array.from(new Uint16Array(copy), bits.value);
  const data = new (Target as Uint8ArrayConstructor)(copy) as NumericArray;
  if (datatype === 'BOOL')
    for (const [index, element] of data.entries())
      if (read(element) === null)
        throw new Misfit(`has the byte ${element} as element ${index}, and BOOL is ${expects}`);
  return data;
}

function encodeNumbers(datatype: NumericDatatype, data: NumericArray): Buffer {
  const { bits } = NUMERIC[datatype];
  const raw = bits ? Uint16Array.from(data as Float32Array, bits.of) : data;
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
}

function decodeBytes(count: number, bytes: Buffer): (string | Uint8Array)[] {
  const elements: (string | Uint8Array)[] = [];
  let at = 0;
  while (at < bytes.length) {
    const from = at + LENGTH_BYTES;
    const end = from <= bytes.length ? from + bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new Misfit(`has binary data that ends within its element ${elements.length}`);
    elements.push(textOrBytes(bytes.subarray(from, end)));
    at = end;
  }
  if (elements.length !== count)
    throw new Misfit(`has ${elements.length} elements in its binary data, and its shape wants ${count}`);
  return elements;
}

function encodeBytes(data: readonly (string | Uint8Array)[]): Buffer {
  const sizes = data.map((element) => (typeof element === 'string' ? Buffer.byteLength(element) : element.length));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + LENGTH_BYTES + size, 0));
  let at = 0;
  for (const [index, element] of data.entries()) {
    at = bytes.writeUInt32LE(sizes[index] as number, at);
    if (typeof element === 'string') bytes.write(element, at, 'utf8');
    else bytes.set(element, at);
    at += sizes[index] as number;
  }
  return bytes;
}
