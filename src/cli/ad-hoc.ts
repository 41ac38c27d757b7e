import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { stringify } from 'yaml';
import { type Home, prepareHome } from '../master/home.js';
import { usage } from './exit.js';
import { wholeNumber } from './numbers.js';

export interface AdHocOptions {
  name?: string;
  workers?: string;
  port?: string;
  host?: string;
}

export interface AdHocConfig {
  name: string;
  /** A supervisor.yaml with absolute paths. */
  text: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const DEFAULT_WORKERS = 1;

/** A configuration for a program that was started without one. */
export function adHocConfig(
  runs: { script: string } | { command: string[] },
  options: AdHocOptions,
  cwd: string,
): AdHocConfig {
  const name = options.name ?? defaultName('script' in runs ? runs.script : (runs.command[0] ?? ''));
  if (!NAME.test(name) || name === 'all')
    throw usage(`'${name}' is no name for an app: letters, digits, '_', '.' and '-', at most 64; give one with --name`);
  if (options.host !== undefined && options.port === undefined) throw usage('--host needs --port');
  const app = {
    kind: options.port === undefined ? 'command' : 'http',
    ...whatRuns(runs, options),
    cwd,
    workers: options.workers === undefined ? DEFAULT_WORKERS : wholeNumber('--workers', options.workers, 1, 1000),
    ...(options.port !== undefined && { port: wholeNumber('--port', options.port, 1, 65535) }),
    ...(options.host !== undefined && { host: options.host }),
  };
  return { name, text: stringify({ version: 1, project: 'adhoc', apps: { [name]: app } }) };
}

/** Writes it into the state folder, from where a later start finds it again. Returns the path. */
export function writeAdHoc(home: Home, config: AdHocConfig): string {
  prepareHome(home);
  mkdirSync(home.adhoc, { recursive: true, mode: 0o700 });
  const file = join(home.adhoc, `${config.name}.yaml`);
  writeFileAtomic.sync(file, config.text, { mode: 0o600 });
  return file;
}

/** A script without a port listens on nothing that we know of: it is a command then, run by this Node. */
function whatRuns(runs: { script: string } | { command: string[] }, options: AdHocOptions): Record<string, unknown> {
  if ('command' in runs || options.port !== undefined) return runs;
  return { command: [process.execPath, runs.script] };
}

function defaultName(program: string): string {
  return basename(program).replace(/\.[^.]*$/, '');
}
