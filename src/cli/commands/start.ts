import { resolve } from 'node:path';
import { StateFile } from '../../master/state-file.js';
import { runAct } from '../act.js';
import { type AdHocOptions, adHocConfig, writeAdHoc } from '../ad-hoc.js';
import { applyFiles } from '../apply.js';
import type { Context } from '../context.js';
import { usage } from '../exit.js';
import { isConfigFile, isFile, isScript, looksLikePath } from '../files.js';
import type { Options, Run } from '../verbs.js';

const PROGRAM_OPTIONS = ['name', 'workers', 'port', 'host'] as const;

export const run: Run = async (context, [what], options) => {
  const { cwd } = context.io;
  const json = options.json === true;
  const command = context.afterDashes;
  if (command !== null) {
    if (what !== undefined) throw usage(`start takes '${what}' or a command after --, not both`);
    if (command.length === 0) throw usage('there is no command after --');
    return startProgram(context, { command: [...command] }, options);
  }
  if (what !== undefined && isScript(what)) {
    if (!isFile(what, cwd)) throw usage(`there is no file ${what}`);
    return startProgram(context, { script: resolve(cwd, what) }, options);
  }
  const given = PROGRAM_OPTIONS.find((name) => options[name] !== undefined);
  if (given) throw usage(`--${given} is for programs that are started without a file: start server.mjs --${given} …`);
  if (what === undefined) return applyFiles(context, defaultFiles(context), json);
  if (isConfigFile(what, cwd) || looksLikePath(what)) {
    if (!isFile(what, cwd)) throw usage(`there is no file ${what}; supervisor init writes a first one`);
    return applyFiles(context, [resolve(cwd, what)], json);
  }
  return runAct(context, 'start', what, json);
};

function startProgram(context: Context, runs: { script: string } | { command: string[] }, options: Options) {
  const { name, workers, port, host } = options as AdHocOptions & Options;
  const config = adHocConfig(runs, { name, workers, port, host }, context.io.cwd);
  return applyFiles(context, [writeAdHoc(context.home, config)], options.json === true);
}

/** ./supervisor.yaml; where there is none, all that the last master had. */
function defaultFiles(context: Context): string[] {
  const { cwd } = context.io;
  if (isFile('supervisor.yaml', cwd)) return [resolve(cwd, 'supervisor.yaml')];
  const { state, warnings } = new StateFile(context.home.dir).read();
  for (const warning of warnings) context.warn(warning);
  const files = state.configs.map((config) => config.file);
  const there = files.filter((file) => isFile(file, cwd));
  for (const file of files) if (!there.includes(file)) context.warn(`${file} is gone and was left out`);
  if (there.length > 0) return there;
  throw usage('there is no supervisor.yaml here and nothing to start again; supervisor init writes a first one');
}
