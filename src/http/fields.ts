/** Checks of what a request carries: which keys it may have, and their types. */
import { closest, distance } from 'fastest-levenshtein';
import { SupError } from '../errors.js';

export function badRequest(message: string, data: Record<string, unknown> = {}): SupError {
  return new SupError('SUP_BAD_REQUEST', message, data);
}

export function unknownKey(where: 'body' | 'query', key: string, known: readonly string[]): SupError {
  const name = key.length > 64 ? `${key.slice(0, 64)}…` : key;
  const hint = nearest(key, known);
  const tail = hint === null ? `known are: ${known.join(', ') || 'none'}` : `did you mean '${hint}'?`;
  return badRequest(`unknown key '${name}' in the ${where}; ${tail}`, { key: name });
}

/** The known key that `key` is a likely misspelling of. */
function nearest(key: string, known: readonly string[]): string | null {
  if (known.length === 0 || key.length > 64) return null;
  const best = closest(key, known as string[]);
  return distance(key, best) <= Math.max(2, Math.floor(best.length / 3)) ? best : null;
}

/** An optional JSON object; no body at all is an empty one. */
export function objectBody<K extends string>(body: unknown, known: readonly K[]): Partial<Record<K, unknown>> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body)) throw badRequest('the body must be a JSON object');
  for (const key of Object.keys(body)) if (!known.includes(key as K)) throw unknownKey('body', key, known);
  return body as Partial<Record<K, unknown>>;
}

export function queryOf<K extends string>(query: unknown, known: readonly K[]): Partial<Record<K, string>> {
  for (const [key, value] of Object.entries(query as Record<string, unknown>)) {
    if (!known.includes(key as K)) throw unknownKey('query', key, known);
    if (typeof value !== 'string') throw badRequest(`'${key}' is given more than once in the query`);
  }
  return query as Partial<Record<K, string>>;
}

/** A whole number in a query, within bounds that are part of the error. */
export function wholeNumber(key: string, text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw badRequest(`'${key}' must be a whole number from ${min} to ${max}`);
  return value;
}
