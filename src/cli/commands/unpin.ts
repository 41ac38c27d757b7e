import { setForPackages } from '../packages.js';
import type { Run } from '../verbs.js';

export const run: Run = (context, [target = ''], { evict, json }) => {
  const body = { allow_unload: evict === true ? true : null };
  return setForPackages(context, target, { path: 'user-preference', body, json: json === true });
};
