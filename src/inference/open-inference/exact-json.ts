/**
 * JSON whose whole numbers beyond 2^53 keep all their digits: they come as bigint. JSON.parse would round them, and Node 20's does not
 * show the source text of a number.
 */
import { randomBytes } from 'node:crypto';

/** Up to 15 digits every whole number is exact. */
const EXACT_DIGITS = 15;
/** A whole number of more digits, perhaps inside a string. Cheap, and false for nearly all bodies: digits after a point don't count. */
const MAY_BE_LONG = /(?:^|[[,:\s])-?\d{16}\d*(?![\d.eE])/;
/** Stands before the digits while they pass through JSON.parse as a string; no client can guess it. */
const MARK = `${randomBytes(12).toString('hex')}:`;

/** @throws SyntaxError */
export function parseExactly(text: string): unknown {
  if (!MAY_BE_LONG.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(markLongNumbers(text), (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith(MARK) ? exact(value.slice(MARK.length)) : value,
    );
  } catch {
    // An error that is about what the client sent.
    return JSON.parse(text);
  }
}

function exact(digits: string): number | bigint {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

function markLongNumbers(text: string): string {
  const parts: string[] = [];
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at + 1) + 1;
    else if (startsNumber(char)) {
      const end = endOfNumber(text, at);
      const number = text.slice(at, end);
      if (number.length > EXACT_DIGITS && /^-?[1-9]\d*$/.test(number) && !isKey(text, end)) {
        parts.push(text.slice(from, at), '"', MARK, number, '"');
        from = end;
      }
      at = end;
    } else at++;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/** Index of the closing quote. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x5c) at++;
    else if (char === 0x22) return at;
  }
  return text.length;
}

/** No JSON, and marked it would be. */
function isKey(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text[at] ?? '')) at++;
  return text[at] === ':';
}

function startsNumber(char: number): boolean {
  return (char >= 0x30 && char <= 0x39) || char === 0x2d;
}

function endOfNumber(text: string, from: number): number {
  let at = from + 1;
  // Whatever may stand in a number: if it is not one, JSON.parse says so.
  while (at < text.length && /[\d.eE+-]/.test(text[at] as string)) at++;
  return at;
}
