/** What a client may send to `/predict`. */
import { badRequest, unknownKey } from '../http/fields.js';

export interface PredictBody {
  inputs: unknown;
  model: string | null;
  version: string | null;
  priority: number;
  timeoutMs: number | null;
  user: string | null;
}

const KEYS = ['inputs', 'model', 'version', 'priority', 'timeout', 'user'];
const MAX_TIMEOUT_SECONDS = 86_400;
/** Users are counted by name while a worker lives: a name is not a place for data. */
const MAX_NAME_CHARS = 256;

/** @throws SupError SUP_BAD_REQUEST that names the key */
export function readPredictBody(body: unknown): PredictBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest("the body must be a JSON object with the key 'inputs'");
  const read: PredictBody = { inputs: undefined, model: null, version: null, priority: 0, timeoutMs: null, user: null };
  const given = body as Record<string, unknown>;
  for (const key in given) {
    const value = given[key];
    switch (key) {
      case 'inputs':
        read.inputs = value;
        break;
      case 'model':
      case 'version':
      case 'user':
        read[key] = name(key, value);
        break;
      case 'priority':
        if (typeof value !== 'number' || !Number.isFinite(value)) throw badRequest("'priority' must be a number");
        read.priority = value;
        break;
      case 'timeout':
        if (typeof value !== 'number' || !(value > 0 && value <= MAX_TIMEOUT_SECONDS))
          throw badRequest(`'timeout' must be a number of seconds above 0 and at most ${MAX_TIMEOUT_SECONDS}`);
        read.timeoutMs = value * 1000;
        break;
      default:
        throw unknownKey('body', key, KEYS);
    }
  }
  // JSON has no undefined: this means that the key was not there.
  if (read.inputs === undefined) throw badRequest("the body has no 'inputs'");
  return read;
}

function name(key: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw badRequest(`'${key}' must be a text`);
  if (value.length > MAX_NAME_CHARS) throw badRequest(`'${key}' is longer than ${MAX_NAME_CHARS} characters`);
  return value;
}

/** The value of a header that names the user. */
export function userFromHeader(value: string | string[] | undefined): string | null {
  const user = headerText(value);
  return user === null ? null : name('user', user);
}

/** Of a header; null where it is missing or empty. */
export function headerText(header: string | string[] | undefined): string | null {
  if (header === undefined || header === '') return null;
  return Array.isArray(header) ? header.join(', ') : header;
}
