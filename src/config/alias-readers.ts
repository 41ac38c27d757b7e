/** How the text of a foreign name's variable becomes a value in the form of the file. */
import { parseDuration } from '../units.js';
import { isMap } from './draft.js';

type RawApp = Readonly<Record<string, unknown>>;

/** What is written for a variable's text: a value in the form of the file, nothing, or what is wrong with the text. */
export type Reading = { value: unknown } | { problem: string } | null;

/** @param app the keys of the app that is written to; none where the key is one of the file */
export type Reader = (text: string, app: RawApp) => Reading;

/** As `ready.timeout` of models has it. */
const DEFAULT_READY_TIMEOUT = '300s';

/** What is no number stays as it is: the key's own error says what it must be. */
export function number(text: string): Reading {
  const value = Number(text);
  return { value: Number.isFinite(value) ? value : text };
}

export function inUnit(unit: string): Reader {
  return (text) => ({ value: `${text}${/\d$/.test(text) ? unit : ''}` });
}

/** 0.85 is 85%. */
export function fraction(text: string): Reading {
  const value = Number(text);
  return { value: value <= 1 ? `${Number((value * 100).toFixed(6))}%` : text };
}

/** `ColdStartStrategy.HYBRID` is hybrid. */
export function word(text: string): Reading {
  return { value: text.slice(text.lastIndexOf('.') + 1).toLowerCase() };
}

export function flag(text: string): Reading {
  const value = truthOf(text);
  return value === null ? NO_FLAG : { value };
}

/** What off stands for; on leaves what there is. */
export function offIs(value: unknown): Reader {
  return (text) => {
    const isOn = truthOf(text);
    if (isOn === null) return NO_FLAG;
    return isOn ? null : { value };
  };
}

/** Off leaves no range: the size is its lower bound, or 1 where that is 0. */
export function offIsMin(text: string, { workers }: RawApp): Reading {
  const isOn = truthOf(text);
  if (isOn === null) return NO_FLAG;
  if (isOn || !isMap(workers)) return null;
  return { value: workers.min === 0 ? 1 : (workers.min ?? 1) };
}

/** Seconds that `ready.timeout` is raised to where it is shorter. */
export function atLeastReadyTimeout(text: string, { ready }: RawApp): Reading {
  const reading = { value: `${text}${/\d$/.test(text) ? 's' : ''}` };
  const current = isMap(ready) && ready.timeout !== undefined ? ready.timeout : DEFAULT_READY_TIMEOUT;
  const [currentMs, wantedMs] = [durationOf(current), durationOf(reading.value)];
  // What is no duration is written, or left, as it is: the key's own error says so.
  if (wantedMs === null) return reading;
  return currentMs === null || currentMs >= wantedMs ? null : reading;
}

const NO_FLAG: Reading = { problem: 'must be true or false' };

function truthOf(text: string): boolean | null {
  const word = text.toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(word)) return true;
  return ['false', 'no', 'off', '0'].includes(word) ? false : null;
}

function durationOf(value: unknown): number | null {
  if (typeof value !== 'string') return null;
  try {
    return parseDuration(value);
  } catch {
    // Any reason is the same answer.
    return null;
  }
}
