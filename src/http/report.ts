/** Where unexpected errors go when nobody else wants them: the stack is for the operator's log, never for a client. */
export function reportToStderr(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}
