/** Where things are: from the compiled bench as well as from its source, so nothing is counted in `..`s. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE_NAME = 'model-supervisor';

export const root = packageRoot();
export const cli = join(root, 'dist/src/cli/main.js');
export const peersDir = join(root, 'bench/peers');
export const resultsDir = join(root, 'bench/results');

export function fixture(name: string): string {
  return join(root, 'bench/fixtures', name);
}

export function example(name: string): string {
  return join(root, 'examples', name);
}

function packageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(dir, 'package.json');
    if (existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === PACKAGE_NAME)
      return dir;
    const parent = dirname(dir);
    if (parent === dir) throw new Error(`no package.json of ${PACKAGE_NAME} above ${import.meta.url}`);
    dir = parent;
  }
}
