import { runAct } from '../act.js';
import type { Run } from '../verbs.js';

export const run: Run = (context, [target = ''], { json }) => runAct(context, 'unload', target, json === true);
