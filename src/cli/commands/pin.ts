import { setForPackages } from '../packages.js';
import type { Run } from '../verbs.js';

export const run: Run = (context, [target = ''], { json }) =>
  setForPackages(context, target, { path: 'user-preference', body: { allow_unload: false }, json: json === true });
