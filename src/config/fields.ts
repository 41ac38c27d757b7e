/** The building blocks of the schemas: one function per kind of value, each with the JSON Schema that editors see. */
import { z } from 'zod';
import { messageOf, SupError } from '../errors.js';
import {
  DURATION_HINT,
  formatDuration,
  formatSize,
  parseDuration,
  parseShare,
  parseSize,
  SHARE_HINT,
  SIZE_HINT,
} from '../units.js';
import type { Probe, RoutingKey, Threshold } from './types.js';

/** Longer delays overflow Node's timers, which then fire at once. */
const LONGEST_TIMER_MS = 24 * 86_400_000;
const PATTERN_LENGTH = 256;

export const NAME_RULE =
  'letters, digits, `_`, `.` and `-`, beginning with a letter or digit, at most 64, and not `all`';
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

export function isName(text: string): boolean {
  return NAME.test(text) && text.toLowerCase() !== 'all';
}

/** Thrown by readers. `hint` says what to write without repeating what was written, for where that may be a secret. */
class Unreadable extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** A value that is read by a function. Not z.string(): a bare number must be answered with what it could mean. */
function readable<T>(read: (value: unknown) => T, json: Record<string, unknown>) {
  return z
    .unknown()
    .transform((value, ctx): T => {
      try {
        return read(value);
      } catch (error) {
        const hint = hintOf(error);
        if (hint === null) throw error;
        ctx.addIssue({ code: 'custom', message: messageOf(error), params: { hint } });
        return z.NEVER;
      }
    })
    .meta(json);
}

/** What to write instead; null for errors that are about something else. */
function hintOf(error: unknown): string | null {
  return error instanceof Unreadable ? error.hint : error instanceof SupError ? String(error.data.hint) : null;
}

type Read<T> = (value: unknown) => T;

function quantity(
  parse: (text: string) => number,
  format: (value: number) => string,
  hint: string,
  range: { min: number; max: number },
): Read<number> {
  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') throw new Unreadable(hint, hint);
    return within(range, parse(String(value)), format);
  };
}

function within(range: { min: number; max: number }, value: number, format: (value: number) => string): number {
  const limits = `must be from ${format(range.min)} to ${format(range.max)}`;
  // Also refuses NaN, which every comparison answers with false.
  if (!(value >= range.min && value <= range.max)) throw new Unreadable(limits, limits);
  return value;
}

/** Null for `auto`. */
function orAuto<T>(read: Read<T>): Read<T | null> {
  return (value) => {
    if (value === 'auto') return null;
    try {
      return read(value);
    } catch (error) {
      const hint = hintOf(error);
      throw hint === null ? error : new Unreadable(`${messageOf(error)}, or auto`, `${hint}, or auto`);
    }
  };
}

export function duration(range: { minMs?: number; maxMs?: number } = {}) {
  const limits = { min: range.minMs ?? 0, max: range.maxMs ?? LONGEST_TIMER_MS };
  return readable(quantity(parseDuration, formatDuration, DURATION_HINT, limits), {
    anyOf: [{ type: 'string', pattern: '^ *([0-9.]+(d|h|m|s|ms))+ *$' }, { const: 0 }],
  });
}

interface SizeRange {
  minBytes?: number;
  maxBytes?: number;
}

const SIZE_JSON = { type: 'string', pattern: '^ *[0-9.]+ ?([kKmMgGtT]?[iI]?[bB]|[kKmMgGtT]) *$' };
const SHARE_JSON = { type: 'string', pattern: '^ *[0-9.]+% *$' };
const AUTO_JSON = { const: 'auto' };

export function size(range: SizeRange = {}) {
  return readable(readSize(range), SIZE_JSON);
}

export function sizeOrAuto(range: SizeRange) {
  return readable(orAuto(readSize(range)), { anyOf: [AUTO_JSON, SIZE_JSON] });
}

function readSize({ minBytes = 1, maxBytes = 1024 ** 5 }: SizeRange): Read<number> {
  return quantity(parseSize, formatSize, SIZE_HINT, { min: minBytes, max: maxBytes });
}

export function share({ min = 0 }: { min?: number } = {}) {
  const zero = min === 0 ? [{ const: 0 }] : [];
  return readable(readShare(min), { anyOf: [SHARE_JSON, ...zero] });
}

function readShare(min: number): Read<number> {
  return quantity(parseShare, (value) => `${value * 100}%`, SHARE_HINT, { min, max: 1 });
}

const SMALLEST_SHARE = 0.001;
const SMALLEST_SIZE_BYTES = 1024 ** 2;
const THRESHOLD_HINT = 'write a share of the memory limit, such as 70%, or a size, such as 3000MiB';

/** A share of the memory limit, or a size. */
export function threshold() {
  const share = readShare(SMALLEST_SHARE);
  const size = readSize({ minBytes: SMALLEST_SIZE_BYTES });
  return readable(
    (value): Threshold => {
      if (typeof value !== 'string' && typeof value !== 'number') throw new Unreadable(THRESHOLD_HINT, THRESHOLD_HINT);
      const text = String(value).trim();
      const bare = /^[\d.]+$/.test(text) ? Number(text) : Number.NaN;
      // Of a bare number, the readings that are likely: 0.7 is a share, 3000 is a size, and 70 could be both.
      if (bare > 1 && bare <= 100)
        throw new Unreadable(`\`${text}\` has no unit: write ${text}% or ${text}MiB`, THRESHOLD_HINT);
      if (text.endsWith('%') || bare <= 1) return { share: share(text) };
      if (/^\d/.test(text)) return { bytes: size(text) };
      throw new Unreadable(THRESHOLD_HINT, THRESHOLD_HINT);
    },
    { anyOf: [SHARE_JSON, SIZE_JSON] },
  );
}

/** A number that need not be whole. */
export function decimal(min: number, max: number) {
  return readable(readDecimal(min, max), { type: 'number', minimum: min, maximum: max });
}

export function decimalOrAuto(min: number, max: number) {
  const json = { anyOf: [AUTO_JSON, { type: 'number', minimum: min, maximum: max }] };
  return readable(orAuto(readDecimal(min, max)), json);
}

function readDecimal(min: number, max: number): Read<number> {
  const hint = `must be a number from ${min} to ${max}`;
  return (value) => {
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw new Unreadable(hint, hint);
  };
}

export function count(min: number, max: number) {
  return z.int().min(min).max(max);
}

export function countOrAuto(min: number, max: number) {
  const hint = `must be a whole number from ${min} to ${max}`;
  const read: Read<number> = (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Unreadable(hint, hint);
  };
  return readable(orAuto(read), { anyOf: [AUTO_JSON, { type: 'integer', minimum: min, maximum: max }] });
}

/** One word of a command line or one environment value: YAML's numbers and booleans stand for their own text. */
function word(what: string) {
  return readable(
    (value) => {
      const hint = `${what} must be text; write '' for an empty one`;
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
        throw new Unreadable(hint, hint);
      // A NUL would end the word early: the operating system refuses it when the process is started.
      if (String(value).includes('\0')) throw new Unreadable('must not contain NUL', 'must not contain NUL');
      return String(value);
    },
    { type: ['string', 'number', 'boolean'] },
  );
}

export function words() {
  return z.array(word('a word'));
}

/** A program with its arguments, never through a shell. */
export function argv() {
  return z.array(word('a word'), { error: () => 'must be a list of words, such as [node, server.mjs]' }).min(1, {
    error: () => 'must not be empty',
  });
}

export function environment() {
  return z.record(
    z.string().regex(/^[^=\0]+$/, { error: () => 'an environment name is not empty and has no `=`' }),
    word('an environment value'),
  );
}

export function filePath() {
  return z
    .string()
    .min(1)
    .regex(/^[^\0]*$/, { error: () => 'must not contain NUL' });
}

export function nameText() {
  return z
    .string()
    .refine(isName, { error: () => `is not a name; use ${NAME_RULE}` })
    .meta({ pattern: NAME.source });
}

/** An address to listen on. */
export function listenHost() {
  return z
    .string()
    .regex(/^[A-Za-z0-9._:-]+$/, { error: () => 'must be a host name or an IP address, without brackets or port' });
}

export function allowedHosts() {
  return z.array(
    z
      .string()
      .regex(/^(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:]+)$/, {
        error: () => 'must be a host name such as shop.example.com, without scheme, port or path',
      })
      .transform((host) => host.toLowerCase()),
  );
}

export function userKey() {
  const hint = 'write header:NAME, such as header:x-user-id';
  return readable(
    (value) => {
      const header = headerOf(value);
      if (header === null) throw new Unreadable(hint, hint);
      return { header };
    },
    { type: 'string', pattern: '^header:.+$' },
  );
}

export function routingKey() {
  const hint = 'write user, input or header:NAME, such as header:x-session';
  return readable(
    (value): RoutingKey => {
      if (value === 'user' || value === 'input') return value;
      const header = headerOf(value);
      if (header === null) throw new Unreadable(hint, hint);
      return { header };
    },
    { anyOf: [{ enum: ['user', 'input'] }, { type: 'string', pattern: '^header:.+$' }] },
  );
}

/** Of `header:NAME`, in lower case; null for anything else. */
function headerOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return /^header:([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})$/.exec(value)?.[1]?.toLowerCase() ?? null;
}

export function probe() {
  return readable<Probe>(readProbe, {
    type: 'string',
    pattern: '^(http://|tcp://|log:).+$',
  });
}

const PROBE_HINT = 'write http://HOST:PORT/PATH, tcp://HOST:PORT or log:PATTERN';

function readProbe(value: unknown): Probe {
  if (typeof value !== 'string') throw new Unreadable(PROBE_HINT, PROBE_HINT);
  if (value.startsWith('log:')) return { kind: 'log', pattern: readPattern(value.slice('log:'.length)) };
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url?.protocol === 'http:' && !url.username) return { kind: 'http', url: url.href };
  const port = Number(url?.port);
  if (url?.protocol === 'tcp:' && url.hostname && port > 0 && /^\/?$/.test(url.pathname)) {
    return { kind: 'tcp', host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
  }
  throw new Unreadable(`is not a probe: ${PROBE_HINT}`, PROBE_HINT);
}

function readPattern(pattern: string): string {
  const hint = `a log pattern is a regular expression of 1 to ${PATTERN_LENGTH} characters`;
  if (pattern === '' || pattern.length > PATTERN_LENGTH) throw new Unreadable(hint, hint);
  try {
    new RegExp(pattern);
  } catch (error) {
    throw new Unreadable(messageOf(error), hint);
  }
  return pattern;
}
