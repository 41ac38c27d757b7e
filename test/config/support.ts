import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from 'vitest';
import { type Loaded, loadConfig } from '../../src/config/load.js';
import { SupError } from '../../src/errors.js';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder with files, gone after the test. */
export function folderWith(files: Readonly<Record<string, string>>, name = 'shop'): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'supervisor-config-'));
  folders.push(root);
  const dir = path.join(root, name);
  mkdirSync(dir);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), text);
  }
  return dir;
}

type Env = Record<string, string>;

/** Loads a text beside the files `m.mjs` and `s.mjs`. */
export function load(
  yaml: string,
  env: Env = {},
  files: Readonly<Record<string, string>> = {},
  { executable, folder }: { executable?: string; folder?: string } = {},
): Loaded & { dir: string } {
  const dir = folderWith({ 'm.mjs': '', 's.mjs': '', ...files, 'supervisor.yaml': yaml }, folder);
  if (executable) chmodSync(path.join(dir, executable), 0o755);
  return { ...loadConfig(path.join(dir, 'supervisor.yaml'), { env, cores: 6 }), dir };
}

/** The problems of a text, with the folder of the file cut off. */
export function problemsOf(yaml: string, env: Env = {}, files: Readonly<Record<string, string>> = {}): string[] {
  const dir = folderWith({ 'm.mjs': '', 's.mjs': '', ...files, 'supervisor.yaml': yaml });
  return refusal(() => loadConfig(path.join(dir, 'supervisor.yaml'), { env, cores: 6 })).map((line) =>
    line.replaceAll(`${dir}/`, '').replaceAll(`${path.relative(process.cwd(), dir)}/`, ''),
  );
}

export function refusal(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SupError) || error.code !== 'SUP_CONFIG_INVALID') throw error;
    return error.data.problems as string[];
  }
  return [];
}
