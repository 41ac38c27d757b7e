import { act, showReport, targetPath } from '../act.js';
import { usage } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [target = '', size = ''], { json }) => {
  if (!/^([+-]?\d+|auto)$/.test(size)) throw usage(`'${size}' is no size: write 3, +1, -1 or auto`);
  return showReport(context, await act(context, `${targetPath(target)}/scale`, { size }), json === true);
};
