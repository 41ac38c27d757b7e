/** Waits for all of them, then throws the first failure: an act is over only when each of its parts is. */
export async function all(acts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(acts)).find((r) => r.status === 'rejected');
  if (failed) throw failed.reason;
}
