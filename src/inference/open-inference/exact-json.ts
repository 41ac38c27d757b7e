/**
 * JSON whose whole numbers beyond 2^53 keep all their digits: they come as bigint. JSON.parse would round them, and Node 20's does not
 * show the source text of a number.
 */
import { randomBytes } from 'node:crypto';

/** Up to 15 digits every whole number is exact. One of more that is no key, outside of strings; inside of them it may look so. */
const LONG_NUMBER = /(^|[[,:\s])(-?[1-9]\d{15,})(?![\d.eE]|\s*:)/;
const LONG_NUMBERS = new RegExp(LONG_NUMBER, 'g');
/** Stands before the digits while they pass through JSON.parse as a string; no client can guess it. */
const MARK = `${randomBytes(9).toString('base64url')}:`;

/** @throws SyntaxError */
export function parseExactly(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  try {
    return unmark(JSON.parse(markLongNumbers(text)));
  } catch {
    // An error that is about what the client sent.
    return JSON.parse(text);
  }
}

/** What is between strings is replaced as a whole: number by number takes ten times as long. */
function markLongNumbers(text: string): string {
  const parts: string[] = [];
  let from = 0;
  for (let quote = text.indexOf('"'); quote !== -1; quote = text.indexOf('"', from)) {
    const end = endOfString(text, quote) + 1;
    parts.push(text.slice(from, quote).replace(LONG_NUMBERS, `$1"${MARK}$2"`), text.slice(quote, end));
    from = end;
  }
  parts.push(text.slice(from).replace(LONG_NUMBERS, `$1"${MARK}$2"`));
  return parts.join('');
}

/** Index of the closing quote. */
function endOfString(text: string, opening: number): number {
  for (let quote = text.indexOf('"', opening + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let at = quote;
    while (text.charCodeAt(at - 1) === 0x5c) at--;
    if ((quote - at) % 2 === 0) return quote;
  }
  return text.length;
}

/** In place, and not by a reviver of JSON.parse: that takes ten times as long. */
function unmark(value: unknown): unknown {
  const visit = <K extends PropertyKey>(container: Record<K, unknown>, key: K): void => {
    const each = container[key];
    if (typeof each === 'object' && each !== null) open.push(each);
    else if (typeof each === 'string' && each.startsWith(MARK)) container[key] = exact(each.slice(MARK.length));
  };
  const root: Record<string, unknown> = { value };
  const open: object[] = [root];
  for (let container = open.pop(); container; container = open.pop()) {
    if (Array.isArray(container)) for (let index = 0; index < container.length; index++) visit(container, index);
    else for (const key in container) visit(container, key as never);
  }
  return root.value;
}

function exact(digits: string): number | bigint {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}
