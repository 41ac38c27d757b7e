import { formatSize } from '../../units.js';

/** For what is not known. */
export const NOTHING = '–';

export function percent(value: number | null): string {
  return value === null ? NOTHING : `${value.toFixed(value < 10 ? 1 : 0)}%`;
}

export function bytes(value: number | null): string {
  return value === null ? NOTHING : formatSize(value);
}

export function settings(values: Readonly<Record<string, unknown>>): string {
  const shown = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  if (shown.length === 0) return NOTHING;
  return shown
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}

/** Of 0..1. */
export function share(value: number | null): string {
  return percent(value === null ? null : value * 100);
}

export function count(value: number | null): string {
  return value === null ? NOTHING : String(value);
}

export function milliseconds(value: number | null): string {
  if (value === null) return NOTHING;
  if (value >= 10_000) return `${(value / 1000).toFixed(0)}s`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)}s` : `${value.toFixed(value < 10 ? 1 : 0)}ms`;
}

/** Change of memory. */
export function growth(mbPerMinute: number | null): string {
  if (mbPerMinute === null) return NOTHING;
  return `${mbPerMinute > 0 ? '+' : ''}${mbPerMinute.toFixed(1)}MB/min`;
}

/** `42s`, `3m 5s`, `2h 4m`, `3d 1h`: two units are enough to compare. */
export function formatAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const;
  const first = units.findIndex(([size]) => whole >= size);
  if (first < 0) return '0s';
  const [size, unit] = units[first]!;
  const [nextSize, nextUnit] = units[first + 1] ?? [1, ''];
  const rest = Math.floor((whole % size) / nextSize);
  return rest > 0 && nextUnit !== ''
    ? `${Math.floor(whole / size)}${unit} ${rest}${nextUnit}`
    : `${Math.floor(whole / size)}${unit}`;
}
