import { readFileSync } from 'node:fs';
import { SupError } from '../../errors.js';
import { EXIT } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context) => {
  context.print(readToken(context.home.token));
  return EXIT.done;
};

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new SupError('SUP_NO_MASTER', 'there is no token yet; the first master writes it: supervisor start');
  }
}
