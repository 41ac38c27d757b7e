import { SupError } from '../errors.js';
import type { PredictRequest } from '../master/supervisor.js';
import { parseDuration } from '../units.js';

/** What may be said with a prediction. */
export interface AskOptions {
  /** Default: the pool's only model, or its `default_model`. */
  model?: string;
  /** Default: chosen by the weights. */
  version?: string;
  /** Higher runs first. Default: 0. */
  priority?: number;
  /** Seconds, or a duration such as `500ms`; queue included. Default: the model's `timeout`. */
  timeout?: number | string;
  /** Who asks: what `recycle.max_users` counts. */
  user?: string;
  /** With `routing.key: header:…`: what stands in that header's place. */
  sticky?: string;
  /** Nobody waits for the answer any more once it is aborted. */
  signal?: AbortSignal;
}

/** A whole request as one object, as `POST /predict` takes it. */
export interface Ask extends AskOptions {
  inputs: unknown;
}

const KEYS: readonly string[] = ['model', 'version', 'priority', 'timeout', 'user', 'sticky', 'signal'];

/** Whether it is one, and not an input that looks like something else. */
export function isAsk(value: unknown): value is Ask {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.hasOwn(value, 'inputs') &&
    Object.keys(value).every((key) => key === 'inputs' || KEYS.includes(key))
  );
}

/** @throws SupError SUP_BAD_REQUEST that names the key */
export function readAsk(options: AskOptions): Omit<PredictRequest, 'inputs'> {
  for (const key of Object.keys(options))
    if (!KEYS.includes(key)) throw bad(`'${key}' is no option; there are ${KEYS.join(', ')}`);
  const { priority = 0, signal = null } = options;
  if (typeof priority !== 'number' || !Number.isFinite(priority)) throw bad("'priority' must be a number");
  if (signal !== null && !(signal instanceof AbortSignal)) throw bad("'signal' must be an AbortSignal");
  return {
    model: name('model', options.model),
    version: name('version', options.version),
    priority,
    timeoutMs: timeoutMs(options.timeout),
    user: name('user', options.user),
    sticky: name('sticky', options.sticky),
    signal,
  };
}

function timeoutMs(timeout: AskOptions['timeout']): number | null {
  if (timeout === undefined) return null;
  const ms = typeof timeout === 'string' ? durationMs(timeout) : typeof timeout === 'number' ? timeout * 1000 : 0;
  if (!(ms > 0 && ms < Number.POSITIVE_INFINITY))
    throw bad("'timeout' must be a number of seconds, or a duration such as '500ms', above 0");
  return ms;
}

function durationMs(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw bad(`'timeout': ${(error as Error).message}`);
  }
}

function name(key: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value === '') throw bad(`'${key}' must be a text`);
  return value;
}

function bad(message: string): SupError {
  return new SupError('SUP_BAD_REQUEST', message);
}
