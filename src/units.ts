/** Sizes, durations and shares as people write them, and back. Inside the program there are bytes, milliseconds and 0..1 only. */
import { SupError } from './errors.js';

const KIB = 1024;
const KB = 1000;

// A bare letter is binary, as systemd, docker and PM2 read it; only a written `B` without `i` is decimal.
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: KIB,
  kib: KIB,
  kb: KB,
  m: KIB ** 2,
  mib: KIB ** 2,
  mb: KB ** 2,
  g: KIB ** 3,
  gib: KIB ** 3,
  gb: KB ** 3,
  t: KIB ** 4,
  tib: KIB ** 4,
  tb: KB ** 4,
};

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

const NUMBER = String.raw`\d{1,16}(?:\.\d{1,9})?`;
const BARE = new RegExp(`^${NUMBER}$`);
const SIZE = new RegExp(`^(${NUMBER}) ?([a-z]{1,3})$`, 'i');
const DURATION = new RegExp(DURATION_UNITS.map(([unit]) => `(?:(${NUMBER})${unit})?`).join(''));
const DURATION_WHOLE = new RegExp(`^${DURATION.source}$`);
const SHARE = new RegExp(`^(${NUMBER})%$`);

export const SIZE_HINT = 'write a number with B, KiB, MiB, GiB or KB, MB, GB, such as 512MiB';
export const DURATION_HINT = 'write numbers with d, h, m, s or ms, such as 90s or 1h30m';
export const SHARE_HINT = 'write a percentage from 0% to 100%, such as 80%';

/** Bytes of `512MiB`, `512M` (the same), `512MB` (decimal) or `1024B`. @throws SupError SUP_BAD_REQUEST */
export function parseSize(text: string): number {
  const trimmed = text.trim();
  if (isZero(trimmed)) return 0;
  if (BARE.test(trimmed)) throw refusal(`has no unit: write ${trimmed}MiB or ${trimmed}B`, text, SIZE_HINT);
  const [, number, unit] = SIZE.exec(trimmed) ?? [];
  const factor = unit === undefined ? undefined : SIZE_UNITS[unit.toLowerCase()];
  if (number === undefined || factor === undefined) throw refusal(`is not a size: ${SIZE_HINT}`, text, SIZE_HINT);
  return inRange(Math.round(Number(number) * factor), text, SIZE_HINT);
}

/** Milliseconds of `90s`, `100ms`, `7d` or `1h30m`. @throws SupError SUP_BAD_REQUEST */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (isZero(trimmed)) return 0;
  if (BARE.test(trimmed)) throw refusal(`has no unit: write ${trimmed}s or ${trimmed}ms`, text, DURATION_HINT);
  const parts = trimmed === '' ? null : DURATION_WHOLE.exec(trimmed);
  if (!parts) throw refusal(`is not a duration: ${DURATION_HINT}`, text, DURATION_HINT);
  const ms = DURATION_UNITS.reduce((sum, [, factor], index) => sum + Number(parts[index + 1] ?? 0) * factor, 0);
  return inRange(Math.round(ms), text, DURATION_HINT);
}

/** 0.8 of `80%`. @throws SupError SUP_BAD_REQUEST */
export function parseShare(text: string): number {
  const trimmed = text.trim();
  if (isZero(trimmed)) return 0;
  if (BARE.test(trimmed)) {
    const number = Number(trimmed);
    const readings = number <= 1 ? `${trimmed}% or ${Number((number * 100).toFixed(6))}%` : `${trimmed}%`;
    throw refusal(`has no unit: write ${readings}`, text, SHARE_HINT);
  }
  const percent = Number(SHARE.exec(trimmed)?.[1] ?? Number.NaN);
  // Also refuses NaN, which every comparison answers with false.
  if (!(percent <= 100)) throw refusal(`is not a share: ${SHARE_HINT}`, text, SHARE_HINT);
  return percent / 100;
}

/** `512MiB`, `1.5GiB`, `1000B`: for people. Read back by `parseSize` it is within half a percent. */
export function formatSize(bytes: number): string {
  if (!Number.isFinite(bytes)) return '?';
  const size = Math.abs(bytes);
  const sign = bytes < 0 ? '-' : '';
  // From this share of a unit on, rounding to one decimal would show 1024 of the smaller one.
  const units = ['TiB', 'GiB', 'MiB', 'KiB'] as const;
  for (const [index, unit] of units.entries()) {
    const factor = KIB ** (units.length - index);
    if (size >= factor - factor / KIB / 20) return `${sign}${decimals(size / factor)}${unit}`;
  }
  return `${sign}${Math.round(size)}B`;
}

/** `1h30m`, `90ms`, `0ms`: exact to the millisecond, so `parseDuration` reads the same number back. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '?';
  let rest = Math.round(Math.abs(ms));
  if (rest === 0) return '0ms';
  let text = ms < 0 ? '-' : '';
  for (const [unit, factor] of DURATION_UNITS) {
    const count = Math.floor(rest / factor);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * factor;
  }
  return text;
}

// Zero needs no unit: every reading of it is the same.
function isZero(text: string): boolean {
  return /^0+(\.0+)?$/.test(text);
}

function decimals(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

function inRange(value: number, text: string, hint: string): number {
  if (!Number.isSafeInteger(value)) throw refusal(`is out of range: ${hint}`, text, hint);
  return value;
}

/** `data.hint` says the same without the text, for where it may be a secret. */
function refusal(what: string, text: string, hint: string): SupError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new SupError('SUP_BAD_REQUEST', `\`${shown}\` ${what}`, { hint });
}
