import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { modelApp } from '../config/app-schema.js';
import { isMap } from '../config/draft.js';
import { configFromObject } from '../config/from-object.js';
import type { Loaded } from '../config/load.js';
import type { fileSchema } from '../config/schema.js';
import type { LogLine } from '../master/supervisor.js';

type ModelKeys = z.input<typeof modelApp>;
type FileKeys = z.input<typeof fileSchema>;

/** A path, relative to `dir`, or a `file:` URL such as `new URL('./model.mjs', import.meta.url)`. */
export type ModulePath = string | URL;

/** One model: the keys of a model in supervisor.yaml. */
export type ModelOptions = Omit<ModelKeys, 'kind' | 'namespace' | 'log' | 'module' | 'versions'> & {
  module?: ModulePath;
  versions?: Record<string, { module: ModulePath; options?: Record<string, unknown>; weight?: number }>;
};

/** What counts for all models together: the keys at the top of supervisor.yaml. */
export type BoxOptions = Pick<FileKeys, (typeof BOX_KEYS)[number]>;

export interface CommonPoolOptions {
  /** For all models together: memory limit, pressure, and when models are loaded and unloaded. */
  box?: BoxOptions;
  /** The base of relative paths, and the workers' default `cwd`. Default: the current folder. */
  dir?: string;
  /** What models print, and what the pool has to say. Default: to stderr; null: nowhere. */
  log?: ((line: LogLine) => void) | null;
}

export type ModelPoolOptions = CommonPoolOptions &
  (
    | (ModelOptions & {
        /** Default: `model`. */
        name?: string;
        models?: undefined;
      })
    | {
        models: Record<string, ModelOptions>;
        /** The model that answers where none is named. Default: the only one. */
        default_model?: string;
      }
  );

const BOX_KEYS = ['limits', 'sensing', 'pressure', 'cpu', 'models', 'unloading'] as const;
/** Keys of an app that say nothing about a model in a program. */
const NOT_HERE: readonly string[] = ['kind', 'namespace', 'log', 'script', 'handler', 'command'];

type Refuse = (path: string[], message: string) => void;

/** @throws SupError SUP_CONFIG_INVALID that names every key that is wrong */
export function readPoolOptions(options: ModelPoolOptions): Loaded {
  const { box = {}, dir = process.cwd(), log = null, ...rest }: Record<string, unknown> = { ...options };
  const problems: { path: string[]; message: string }[] = [];
  const refuse: Refuse = (path, message) => problems.push({ path, message });
  if (typeof dir !== 'string') refuse(['top', 'dir'], 'must be the path of a folder');
  if (log !== null && typeof log !== 'function') refuse(['top', 'log'], 'must be a function or null');
  const several = rest.models !== undefined;
  const { default_model: defaultModel, ...models } = rest;
  const apps = several ? severalModels(models, refuse) : oneModel(models, refuse);
  const value = {
    ...boxKeys(box, refuse),
    ...(defaultModel !== undefined && { inference: { default_model: defaultModel } }),
    apps: Object.fromEntries(Object.entries(apps).map(([name, keys]) => [name, asApp(name, keys, refuse)])),
  };
  const base = typeof dir === 'string' ? dir : process.cwd();
  return configFromObject(value, { shown: 'createModelPool', dir: base, keyOf: (at) => keyOf(at, several), problems });
}

function oneModel({ name = 'model', ...keys }: Record<string, unknown>, refuse: Refuse): Record<string, unknown> {
  if (typeof name === 'string') return { [name]: keys };
  refuse(['top', 'name'], 'must be text');
  return { model: keys };
}

function severalModels({ models, ...others }: Record<string, unknown>, refuse: Refuse): Record<string, unknown> {
  for (const [key, value] of Object.entries(others))
    if (value !== undefined) refuse(['top', key], 'stands beside `models`: write it in one of them');
  const apps = isMap(models) ? models : {};
  if (!isMap(models)) refuse(['apps'], 'must be a map of names to models');
  else if (Object.keys(models).length === 0) refuse(['apps'], 'holds no model');
  return apps;
}

function boxKeys(box: unknown, refuse: Refuse): Record<string, unknown> {
  if (!isMap(box)) {
    refuse(['top', 'box'], 'must be a map of keys');
    return {};
  }
  const known: readonly string[] = BOX_KEYS;
  for (const key of Object.keys(box))
    if (!known.includes(key)) refuse(['top', 'box', key], `unknown key; there are ${known.join(', ')}`);
  return Object.fromEntries(known.map((key) => [key, box[key]]));
}

function asApp(name: string, keys: unknown, refuse: Refuse): unknown {
  if (!isMap(keys)) {
    refuse(['apps', name], 'must be a map of keys, such as { module: "model.mjs" }');
    return undefined;
  }
  for (const key of NOT_HERE)
    if (keys[key] !== undefined) refuse(['apps', name, key], 'is no key of a model in a pool');
  const model = Object.fromEntries(Object.entries(keys).filter(([key]) => !NOT_HERE.includes(key)));
  const path = (module: unknown, at: string[]): unknown => {
    const isUrl = module instanceof URL || (typeof module === 'string' && module.startsWith('file:'));
    if (!isUrl) return module;
    try {
      return fileURLToPath(module);
    } catch (error) {
      refuse(['apps', name, ...at], (error as Error).message);
      // A text, since something was written.
      return String(module);
    }
  };
  const versions =
    isMap(model.versions) &&
    Object.entries(model.versions).map(([version, entry]) => [
      version,
      isMap(entry) ? { ...entry, module: path(entry.module, ['versions', version, 'module']) } : entry,
    ]);
  return {
    ...model,
    kind: 'model',
    ...('module' in model && { module: path(model.module, ['module']) }),
    ...(versions && { versions: Object.fromEntries(versions) }),
  };
}

/** From the place in a file to the one in the options. */
function keyOf(path: readonly PropertyKey[], several: boolean): readonly PropertyKey[] {
  const [first, second, ...rest] = path;
  if (first === 'top') return path.slice(1);
  if (first === 'inference') return path.slice(1);
  if (first !== 'apps') return ['box', ...path];
  if (second === undefined) return several ? ['models'] : [];
  return several ? ['models', second, ...rest] : rest;
}
