import { statSync } from 'node:fs';
import { resolve } from 'node:path';

const CONFIG = /\.ya?ml$/i;
const SCRIPT = /\.[cm]?[jt]s$/i;

/** A configuration: by its name, there or not, or any other file that is there and is no script. */
export function isConfigFile(text: string, cwd: string): boolean {
  return CONFIG.test(text) || (isFile(text, cwd) && !SCRIPT.test(text));
}

export function isScript(text: string): boolean {
  return SCRIPT.test(text);
}

/** Means a file although none is there: no app can be called that, `/regex/` is a target. */
export function looksLikePath(text: string): boolean {
  return /^\.{0,2}\//.test(text) && !/^\/.+\/$/.test(text);
}

export function isFile(text: string, cwd: string): boolean {
  return statSync(resolve(cwd, text), { throwIfNoEntry: false })?.isFile() ?? false;
}
