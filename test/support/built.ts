import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Absolute path of a compiled program of workers/: tests of whole processes run what was built. */
export function builtWorker(name: string): string {
  const dist = process.env.SUPERVISOR_TEST_DIST ?? fileURLToPath(new URL('../../dist', import.meta.url));
  const path = `${dist}/workers/${name}`;
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`npm run build\` first`);
  return path;
}
