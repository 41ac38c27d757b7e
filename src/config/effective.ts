/** A whole configuration in the form of its file, defaults filled in, with where each value comes from. */
import { z } from 'zod';
import { formatDuration } from '../units.js';
import { APP_SCHEMAS } from './app-schema.js';
import { shapeOf } from './keys.js';
import type { Loaded } from './load.js';
import { fileSchema } from './schema.js';
import { optionWithoutSecrets, valueWithoutSecrets } from './secrets.js';
import type { AppConfig, Config, LogConfig } from './types.js';
import type { Written } from './written.js';

type Path = readonly string[];

export interface Setting {
  path: Path;
  value: unknown;
  /** `default`, or as `Written.placeOf`. */
  origin: string;
}

/** Keys with more than one form, which are shown as what they come to, or as they are written. */
const WHOLE = new Set(['version_policy']);

/** Everything but `apps`. */
export function boxSettings({ config, written }: Loaded): Setting[] {
  const shape = shapeOf(fileSchema);
  if (shape.kind !== 'map') return [];
  const told = { project: config.project, ...listenersOf(config), ...logOf(config.log) };
  const parts = [...shape.keys].filter(([key]) => key !== 'apps');
  return parts.flatMap(([key, schema]) => settingsOf(schema, [key], [], new Map(Object.entries(told)), written));
}

/** One app's, below `apps.NAME` of its file; null where the file has no such app. */
export function appSettings({ config, written }: Loaded, name: string): Setting[] | null {
  const app = config.apps.find((one) => one.name === name);
  if (!app) return null;
  const shape = shapeOf(APP_SCHEMAS[app.kind]);
  if (shape.kind !== 'map') return [];
  const base = ['apps', name];
  const told = new Map(Object.entries(toldOf(app)));
  return [...shape.keys].flatMap(([key, schema]): Setting[] => {
    const path = [...base, key];
    if (key === 'env') return envSettings(app, base, written);
    if (key === 'options') return optionSettings(path, written);
    if (key === 'versions') return versionSettings(app, path, written);
    return settingsOf(schema, path, base, told, written);
  });
}

/** @param told what the configuration makes of keys without a default of their own, by dotted path below `base` */
function settingsOf(
  schema: z.core.$ZodType,
  path: Path,
  base: Path,
  told: ReadonlyMap<string, unknown>,
  written: Written,
): Setting[] {
  const shape = shapeOf(schema);
  if (shape.kind === 'map' && !WHOLE.has(path.at(-1)!))
    return [...shape.keys].flatMap(([key, inner]) => settingsOf(inner, [...path, key], base, told, written));
  const known = told.get(path.slice(base.length).join('.'));
  // A size has three forms, and `max` is a number only here: what it comes to is what counts.
  const isSize = path.length === 4 && path[2] === 'workers';
  const said = isSize ? undefined : written.value(path);
  const value = said === undefined ? (known === undefined ? defaultOf(schema) : known) : said;
  if (value === undefined) return [];
  return [{ path, value: valueWithoutSecrets(structuredClone(value)), origin: originOf(path, written) }];
}

function originOf(path: Path, written: Written): string {
  if (written.value(path) !== undefined) return written.placeOf(path)!;
  const parent = path.slice(0, -1);
  // `workers: 3` says both bounds.
  const isShort = parent.length === 3 && parent[2] === 'workers' && typeof written.value(parent) !== 'object';
  // What an app does not say of its log is said by the file.
  const ofFile = path[0] === 'apps' && path[2] === 'log' ? written.placeOf(path.slice(2)) : null;
  return (isShort ? written.placeOf(parent) : ofFile) ?? 'default';
}

/** What a schema takes where nothing is written; undefined where it says nothing. */
function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  if (schema instanceof z.ZodPipe) return defaultOf(schema.in);
  return undefined;
}

function listenersOf({ control, inference }: Config): Record<string, unknown> {
  return { 'control.port': control.port, 'inference.port': inference.port };
}

function logOf({ level, format, rotate }: LogConfig): Record<string, unknown> {
  return {
    'log.level': level,
    'log.format': format,
    'log.rotate.size': exactSize(rotate.sizeBytes),
    'log.rotate.keep': rotate.keep,
    'log.rotate.max_age': formatDuration(rotate.maxAgeMs),
  };
}

function toldOf(app: AppConfig): Record<string, unknown> {
  return {
    kind: app.kind,
    'workers.min': app.workers.min,
    'workers.max': app.workers.max,
    ...logOf(app.log),
    ...(app.kind === 'model' && { default: app.defaultVersion, 'unload.strategy': null, 'unload.preference': null }),
  };
}

/** Names alone, those of files too. */
function envSettings(app: AppConfig, base: Path, written: Written): Setting[] {
  return Object.keys(app.env).map((name) => {
    const path = [...base, 'env', name];
    return { path, value: null, origin: written.placeOf(path) ?? written.placeOf([...base, 'env_file']) ?? 'default' };
  });
}

function optionSettings(path: Path, written: Written): Setting[] {
  const options = written.value(path);
  if (typeof options !== 'object' || options === null) return [];
  return Object.entries(options).map(([name, value]) => {
    const inside = [...path, name];
    return { path: inside, value: optionWithoutSecrets(name, value), origin: originOf(inside, written) };
  });
}

/** Of versions, what is written: what they leave out is said by the app. */
function versionSettings(app: AppConfig, path: Path, written: Written): Setting[] {
  if (app.kind !== 'model' || written.value(path) === undefined) return [];
  return app.versions.flatMap(({ version }) => {
    const at = [...path, version];
    const keys = [['module'], ['weight'], ['unload', 'strategy'], ['unload', 'preference']].map((key) => [
      ...at,
      ...key,
    ]);
    return [
      ...keys.flatMap((key) => {
        const value = written.value(key);
        return value === undefined ? [] : [{ path: key, value, origin: originOf(key, written) }];
      }),
      ...optionSettings([...at, 'options'], written),
    ];
  });
}

/** Read back it is the same number, which a rounded size is not. */
function exactSize(bytes: number): string {
  const units = ['GiB', 'MiB', 'KiB'] as const;
  for (const [index, unit] of units.entries()) {
    const factor = 1024 ** (units.length - index);
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}
