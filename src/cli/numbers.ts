import { usage } from './exit.js';

/** An option's whole number from `min` up. @throws SupError SUP_USAGE */
export function wholeNumber(option: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const text = String(value);
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  throw usage(`${option} wants a whole number ${range}, not '${text}'`);
}
