/**
 * Who is told when memory is short, and how. CommonJS, since the preload of http apps is; of the process, or of the thread in threads.
 */
import type { CleanupLevel } from '../worker/protocol.js' with { 'resolution-mode': 'import' };
import type { CleanupHook, NamedHook } from './cleanup-hook.js' with { 'resolution-mode': 'import' };

/** Longer than this, a hook is not waited for. */
const HOOK_DEADLINE_MS = 3000;

/** The program's own copy of this package and the one that its worker host brought must meet. */
const REGISTRY = Symbol.for('model-supervisor.cleanup');

// Taken before the program could replace them, as fake timers do.
const [startTimeout, stopTimeout, inNextTurn] = [setTimeout, clearTimeout, setImmediate];

/** Hooks that an earlier cleanup still waits for, or has given up on. Called again, they would pile up. */
const busy = new WeakMap<NamedHook, Set<CleanupLevel>>();

function registeredHooks(): Set<NamedHook> {
  const shared = globalThis as { [REGISTRY]?: Set<NamedHook> };
  shared[REGISTRY] ??= new Set();
  return shared[REGISTRY];
}

/** Returns the function that takes it out again. */
function registerCleanup(hook: CleanupHook, { name }: { name?: string } = {}): () => void {
  if (typeof hook !== 'function') throw new TypeError(`a cleanup hook is a function, not ${typeof hook}`);
  const hooks = registeredHooks();
  const named: NamedHook = { name: name ?? (hook.name || 'cleanup hook'), run: hook };
  hooks.add(named);
  return () => {
    hooks.delete(named);
  };
}

/** Runs them side by side. Never rejects: what went wrong is the answer, a line for each hook. */
async function runHooks(hooks: Iterable<NamedHook>, level: CleanupLevel): Promise<string[]> {
  const errors: string[] = [];
  const running: Promise<void>[] = [];
  for (const hook of [...hooks]) {
    running.push(run(hook, level, errors));
    // What each of them does at once may be long; others get their turn of the loop in between.
    await new Promise<void>((resolve) => inNextTurn(resolve));
  }
  await Promise.all(running);
  return errors;
}

async function run(hook: NamedHook, level: CleanupLevel, errors: string[]): Promise<void> {
  const levels = busy.get(hook) ?? new Set();
  if (levels.has(level)) {
    errors.push(`${hook.name}: still busy with an earlier cleanup`);
    return;
  }
  busy.set(hook, levels.add(level));
  const done = (async () => hook.run(level))().finally(() => levels.delete(level));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = startTimeout(resolve, HOOK_DEADLINE_MS, 'late');
  });
  try {
    if ((await Promise.race([done, late])) === 'late')
      errors.push(`${hook.name}: did not settle within ${HOOK_DEADLINE_MS / 1000} s`);
  } catch (error) {
    // One hook may stand for several things that can fail.
    const causes = error instanceof AggregateError ? error.errors : [error];
    errors.push(...causes.map((cause) => `${hook.name}: ${cause instanceof Error ? cause.message : String(cause)}`));
  } finally {
    stopTimeout(timer);
    // Given up on: what it comes to is nobody's any more.
    done.catch(() => {});
  }
}

export = { registerCleanup, registeredHooks, runHooks };
