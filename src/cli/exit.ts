import { SupError } from '../errors.js';

/** What the command's exit codes mean; part of the contract. */
export const EXIT = { done: 0, failed: 1, usage: 2, noMaster: 3, noTarget: 4 } as const;

const EXIT_OF_CODE: Readonly<Record<string, number>> = {
  SUP_USAGE: EXIT.usage,
  SUP_BAD_REQUEST: EXIT.usage,
  SUP_CONFIG_INVALID: EXIT.usage,
  SUP_NO_MASTER: EXIT.noMaster,
  SUP_NO_SUCH_TARGET: EXIT.noTarget,
  SUP_MODEL_NOT_FOUND: EXIT.noTarget,
};

/** An error answer of the master. Its code may be one that this version does not know. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly data: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof SupError || error instanceof ReplyError) return EXIT_OF_CODE[error.code] ?? EXIT.failed;
  return EXIT.failed;
}

export function usage(message: string): SupError {
  return new SupError('SUP_USAGE', message);
}

/** `data.problems` of a refused configuration, one line each. */
export function problemsOf(error: unknown): string[] {
  if (!(error instanceof SupError || error instanceof ReplyError)) return [];
  const { problems } = error.data;
  return Array.isArray(problems) ? problems.map(String) : [];
}
