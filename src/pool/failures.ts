import { messageOf, SupError } from '../errors.js';
import type { Item } from './job.js';

/** What callers are told, in one place. */

const LOAD_RETRY_SECONDS = 5;

/**
 * For what is the order of the day under load. Nobody reads where it was made, and a stack costs more than all else that happens to
 * a refused request.
 */
function everyday(...args: ConstructorParameters<typeof SupError>): SupError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new SupError(...args);
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}

export function workerDied(
  model: string,
  worker: string,
  {
    ownFault,
    idempotent,
    retried,
    begun,
    evictions,
    overBudget,
  }: {
    ownFault: boolean;
    idempotent: boolean;
    retried: boolean;
    begun: boolean;
    evictions: number;
    overBudget: boolean;
  },
): SupError {
  const then = begun
    ? 'it is not run again because a part of its answer was sent'
    : !idempotent
      ? 'it is not retried because the app is not idempotent'
      : ownFault && retried
        ? 'it was retried alone, and its worker died again'
        : overBudget
          ? 'it is not retried because too many were lately'
          : ownFault
            ? 'it is not retried because no worker is coming'
            : `it was retried ${evictions} times already`;
  const what = ownFault ? 'died' : 'was stopped';
  return new SupError('SUP_WORKER_DIED', `${worker} ${what} while it ran this prediction; ${then}`, {
    model,
    worker,
    retried: retried || evictions > 0,
  });
}

export function deadlinePassed(model: string, item: Item): SupError {
  const { timeoutMs, flowedAt } = item.job;
  if (flowedAt !== null)
    return new SupError('SUP_DEADLINE', `the stream of ${model} stood still for ${timeoutMs / 1000} s`, {
      model,
      timeout_ms: timeoutMs,
      running: true,
    });
  const where = item.batch ? `it was running on ${item.batch.owner.slot.worker}` : 'it was still queued';
  return everyday('SUP_DEADLINE', `no answer from ${model} within ${timeoutMs / 1000} s; ${where}`, {
    model,
    timeout_ms: timeoutMs,
    running: item.batch !== null,
  });
}

/** Its worker was not up in time; the load goes on. */
export function notLoaded(model: string, waitedMs: number): SupError {
  return new SupError(
    'SUP_NOT_READY',
    `${model} was not loaded within ${Math.round(waitedMs / 100) / 10} s; it still loads`,
    {
      model,
      retry_after_seconds: LOAD_RETRY_SECONDS,
    },
  );
}

export function cancelled(model: string): SupError {
  return everyday('SUP_CANCELLED', `the client of ${model} went away`, { model });
}

export function quarantined(model: string, remainingMs: number): SupError {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1000));
  return new SupError(
    'SUP_QUARANTINED',
    `this input killed a worker of ${model} twice; it is refused for ${seconds} s`,
    {
      model,
      remaining_seconds: seconds,
    },
  );
}

export function modelError(model: string, worker: string, name: string, message: string): SupError {
  return new SupError('SUP_MODEL_ERROR', `${name}: ${message}`, { model, worker, name });
}

export function queueFull(model: string, queued: number, limit: number, retryAfterSeconds: number): SupError {
  return everyday('SUP_QUEUE_FULL', `${model} has ${queued} inputs queued; its limit is ${limit}`, {
    model,
    queued,
    limit,
    retry_after_seconds: retryAfterSeconds,
  });
}

export function overloaded(model: string, retryAfterSeconds: number): SupError {
  return everyday('SUP_OVERLOADED', `more comes for ${model} than its workers can answer in time`, {
    model,
    retry_after_seconds: retryAfterSeconds,
  });
}

export function notSendable(model: string, reason: string): SupError {
  return new SupError('SUP_BAD_REQUEST', `an input of ${model} cannot be sent to a worker: ${reason}`, { model });
}

export function unreachable(model: string, worker: string, error: unknown): SupError {
  return new SupError('SUP_INTERNAL', `cannot send to ${worker}: ${messageOf(error)}`, { model }, { cause: error });
}
