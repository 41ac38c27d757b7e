import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ModelAppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';

/** What the child answers. */
export type SamplesMessage = { ok: true; samples: unknown[] } | { ok: false; message: string };

const PROGRAM = fileURLToPath(new URL('../../workers/model-samples.js', import.meta.url));

/**
 * The warm-up samples of a model, read by a short-lived child: no user code is imported here.
 * @throws SupError SUP_ACT_FAILED where the module cannot be imported
 */
export async function warmUpSamples(app: ModelAppConfig, version: string, signal: AbortSignal): Promise<unknown[]> {
  const module = app.versions.find((each) => each.version === version)?.module as string;
  const fail = (why: string) => new SupError('SUP_ACT_FAILED', `${app.name}@${version} cannot be read: ${why}`);
  const child = fork(PROGRAM, [module], {
    cwd: app.cwd,
    env: { ...process.env, ...app.env },
    execArgv: app.nodeArgs,
    // A model that prints while it is imported has nothing to say here.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
    timeout: app.ready.timeoutMs,
    killSignal: 'SIGKILL',
    signal,
  });
  const message = await new Promise<SamplesMessage>((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as SamplesMessage));
    child.once('error', reject);
    child.once('exit', (code, by) => resolve({ ok: false, message: `its import ended with ${by ?? `code ${code}`}` }));
  });
  child.kill('SIGKILL');
  if (!message.ok) throw fail(message.message);
  return message.samples;
}
