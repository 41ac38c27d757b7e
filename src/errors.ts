/**
 * Every error that a user can meet: its code, the HTTP status it answers with, and how its message is built from its data.
 * A new kind of failure is a new row here, never a bare `new Error` with a text made up on the spot.
 */
interface Entry {
  /** Status of an HTTP answer that carries this error. */
  status: number;
  /** Seconds for `Retry-After`, where trying again can help. */
  retryAfter?: number;
}

const CATALOGUE = {
  SUP_BAD_REQUEST: { status: 400 },
  SUP_CONFIG_INVALID: { status: 400 },
  SUP_UNAUTHORIZED: { status: 401 },
  SUP_FORBIDDEN: { status: 403 },
  SUP_NOT_FOUND: { status: 404 },
  SUP_NO_SUCH_TARGET: { status: 404 },
  SUP_MODEL_NOT_FOUND: { status: 404 },
  SUP_METHOD_NOT_ALLOWED: { status: 405 },
  SUP_CONFLICT: { status: 409 },
  SUP_BODY_TOO_LARGE: { status: 413 },
  SUP_UNSUPPORTED_MEDIA_TYPE: { status: 415 },
  SUP_QUARANTINED: { status: 422 },
  SUP_QUEUE_FULL: { status: 429, retryAfter: 1 },
  SUP_OVERLOADED: { status: 429, retryAfter: 1 },
  SUP_TOO_MANY_FAILURES: { status: 429, retryAfter: 10 },
  SUP_CANCELLED: { status: 499 },
  SUP_INTERNAL: { status: 500 },
  SUP_MODEL_ERROR: { status: 500 },
  SUP_ILLEGAL_TRANSITION: { status: 500 },
  SUP_ACT_FAILED: { status: 500 },
  SUP_WORKER_DIED: { status: 502 },
  SUP_NOT_READY: { status: 503, retryAfter: 1 },
  SUP_CHURN: { status: 503, retryAfter: 60 },
  SUP_APP_STOPPED: { status: 503, retryAfter: 5 },
  SUP_WORKER_BOOT_FAILED: { status: 503, retryAfter: 5 },
  SUP_WORKER_BOOT_TIMEOUT: { status: 503, retryAfter: 5 },
  SUP_LOAD_FAILED: { status: 503, retryAfter: 5 },
  SUP_PORT_IN_USE: { status: 503 },
  SUP_SHUTTING_DOWN: { status: 503, retryAfter: 5 },
  SUP_DEADLINE: { status: 504 },
  SUP_NO_ROOM: { status: 507 },
  SUP_NO_MASTER: { status: 503 },
  SUP_MASTER_RUNNING: { status: 409 },
  SUP_MASTER_START_FAILED: { status: 500 },
  SUP_USAGE: { status: 400 },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof CATALOGUE;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CATALOGUE, text);
}

/** The one error type that crosses module borders. `data` is JSON-safe and goes into HTTP answers, so it may hold no secrets. */
export class SupError extends Error {
  override readonly name = 'SupError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly data: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get status(): number {
    return CATALOGUE[this.code].status;
  }

  get retryAfter(): number | null {
    return (CATALOGUE[this.code] as Entry).retryAfter ?? null;
  }

  /** The wire form of every error answer. */
  toJSON(): { error: { code: ErrorCode; message: string } & Record<string, unknown> } {
    return { error: { ...this.data, code: this.code, message: this.message } };
  }
}

/** Any thrown value as a SupError; what is not ours becomes SUP_INTERNAL with the original as its cause. */
export function toSupError(error: unknown): SupError {
  if (error instanceof SupError) return error;
  return new SupError('SUP_INTERNAL', messageOf(error), {}, { cause: error });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the `default` of an exhaustive switch: a missing case is a compile error. */
export function assertNever(value: never): never {
  throw new SupError('SUP_INTERNAL', `unexpected value ${JSON.stringify(value)}`);
}
