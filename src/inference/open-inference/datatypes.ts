/** The protocol's datatypes: how many bytes an element takes, what the model gets, which values fit. */
import { fromBf16, fromFp16, toBf16, toFp16 } from './half-floats.js';

export const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'BF16',
  'FP32',
  'FP64',
  'BYTES',
] as const;

export type Datatype = (typeof DATATYPES)[number];
export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

export type NumericArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Row-major. An element of BYTES that is not UTF-8 text is its bytes. */
export type TensorData = NumericArray | (string | Uint8Array)[];

type Element = number | bigint;

export interface Numeric {
  /** In binary data. */
  readonly bytes: number;
  /** What the model gets, and what its answers may come in. */
  readonly array: new (
    length: number,
  ) => NumericArray;
  /** The element, or null where the value is none of this type. */
  read(value: unknown): Element | null;
  /** For an error: what would do. */
  readonly expects: string;
  /** Where the bits in binary data are not those of the array. */
  readonly bits: { of(value: number): number; value(bits: number): number } | null;
}

export const NUMERIC: Readonly<Record<NumericDatatype, Numeric>> = {
  BOOL: { bytes: 1, array: Uint8Array, read: readBool, expects: 'true or false', bits: null },
  UINT8: whole(Uint8Array, 0, 2 ** 8 - 1),
  UINT16: whole(Uint16Array, 0, 2 ** 16 - 1),
  UINT32: whole(Uint32Array, 0, 2 ** 32 - 1),
  UINT64: wide(BigUint64Array, 0n, 2n ** 64n - 1n),
  INT8: whole(Int8Array, -(2 ** 7), 2 ** 7 - 1),
  INT16: whole(Int16Array, -(2 ** 15), 2 ** 15 - 1),
  INT32: whole(Int32Array, -(2 ** 31), 2 ** 31 - 1),
  INT64: wide(BigInt64Array, -(2n ** 63n), 2n ** 63n - 1n),
  FP16: floating(Float32Array, 2, (value) => fromFp16(toFp16(value)), { of: toFp16, value: fromFp16 }),
  BF16: floating(Float32Array, 2, (value) => fromBf16(toBf16(value)), { of: toBf16, value: fromBf16 }),
  FP32: floating(Float32Array, 4, Math.fround, null),
  FP64: floating(Float64Array, 8, (value) => value, null),
};

export function isDatatype(text: unknown): text is Datatype {
  return DATATYPES.includes(text as Datatype);
}

function readBool(value: unknown): number | null {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : null;
}

function whole(array: Numeric['array'] & { BYTES_PER_ELEMENT: number }, min: number, max: number): Numeric {
  return {
    bytes: array.BYTES_PER_ELEMENT,
    array,
    read: (value) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : null,
    expects: `a whole number from ${min} to ${max}`,
    bits: null,
  };
}

function wide(array: Numeric['array'], min: bigint, max: bigint): Numeric {
  return {
    bytes: 8,
    array,
    read(value) {
      // Beyond 2^53 a number may have lost digits already; exact ones come as bigint.
      const exact = Number.isSafeInteger(value) ? BigInt(value as number) : value;
      return typeof exact === 'bigint' && exact >= min && exact <= max ? exact : null;
    },
    expects: `a whole number from ${min} to ${max}`,
    bits: null,
  };
}

function floating(
  array: Numeric['array'],
  bytes: number,
  round: (value: number) => number,
  bits: Numeric['bits'],
): Numeric {
  return {
    bytes,
    array,
    read(value) {
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number') return null;
      const rounded = round(number);
      // What this type can't hold must not become an infinity.
      return Number.isFinite(rounded) || !Number.isFinite(number) ? rounded : null;
    },
    expects: 'a number within its range',
    bits,
  };
}
