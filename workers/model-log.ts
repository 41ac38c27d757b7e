import { format } from 'node:util';
import type { ModelLog } from '../src/define-model.js';

export const log: ModelLog = {
  info: (...values) => void process.stdout.write(`${format(...values)}\n`),
  warn: (...values) => void process.stderr.write(`${format(...values)}\n`),
  error: (...values) => void process.stderr.write(`${format(...values)}\n`),
};
