import { type Clock, systemClock } from '../clock.js';
import { type Hooks, shown } from './hooks.js';
import { ProcessProbe } from './process-probe.js';

/** One for all spans: what it measures is the process, and a hundred spans at once need one timer. */
const probe = new ProcessProbe();

/**
 * Runs `fn` and tells the hooks before and after. Its result, or what it throws, is handed on as it is. `fn` is called at once,
 * not in a later turn; the span is complete, and `after` was called, when the promise settles.
 */
export async function trackSpan<T>(
  name: string,
  fn: () => T | PromiseLike<T>,
  hooks: Pick<Hooks, 'before' | 'after'>,
  clock: Pick<Clock, 'wall'> = systemClock,
): Promise<T> {
  hooks.before(name);
  const startedAt = new Date(clock.wall()).toISOString();
  const end = probe.start();
  const finish = async (error: string | null) => {
    hooks.after({ name, startedAt, ...(await end()), error });
  };
  let result: T;
  try {
    result = await fn();
  } catch (error) {
    await finish(shown(error));
    throw error;
  }
  await finish(null);
  return result;
}
