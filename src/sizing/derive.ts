/** From the configuration of many apps to one of a single app that can run beside them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { applyAliases } from '../config/aliases.js';
import type { Draft, Environment } from '../config/draft.js';
import { loadConfig } from '../config/load.js';
import { applyOverrides } from '../config/overrides.js';
import { Report } from '../config/report.js';
import type { Config, HttpAppConfig, ModelAppConfig } from '../config/schema.js';
import { parseText } from '../config/source.js';
import { SupError } from '../errors.js';

/** An app as it is configured. */
export interface Subject {
  /** Absolute. */
  file: string;
  config: Config;
  app: ModelAppConfig | HttpAppConfig;
  /** Null for http apps. */
  version: string | null;
}

const LOOPBACK = '127.0.0.1';
/** What rules the box as a whole. Listeners, plug-ins and alerts stay behind: they are the running master's. */
const KEPT = ['version', 'limits', 'sensing', 'pressure', 'cpu'];
const PATHS = ['cwd', 'module', 'script', 'handler'];
/** Nobody else is there to depend on, and the size is what is being changed. */
const DROPPED = ['depends_on', 'workers'];

/**
 * @param name as in the file, or as a master calls it that knows another app of this name: `project.name`
 * @param version null: the latest in the file
 * @throws SupError SUP_CONFIG_INVALID, SUP_NO_SUCH_TARGET, SUP_USAGE for a command
 */
export function findSubject(file: string, name: string, version: string | null, env: Environment): Subject {
  const { config } = loadConfig(file, { env });
  const app =
    config.apps.find((each) => each.name === name) ??
    config.apps.find((each) => `${config.project}.${each.name}` === name);
  if (!app) {
    const names = config.apps.map((each) => each.name).join(', ');
    throw new SupError(
      'SUP_NO_SUCH_TARGET',
      `${file} has no app '${name}'${names === '' ? '' : `; there are: ${names}`}`,
    );
  }
  if (app.kind === 'command')
    throw new SupError('SUP_USAGE', `${name} is a command: it answers nothing that could be measured`);
  const versions = app.kind === 'model' ? app.versions.map((each) => each.version) : [];
  if (version !== null && !versions.includes(version))
    throw new SupError(
      'SUP_NO_SUCH_TARGET',
      `${name} has no version '${version}'${versions.length > 0 ? `; there are: ${versions.join(', ')}` : ''}`,
    );
  return { file: config.file, config, app, version: version ?? versions.at(-1) ?? null };
}

/** The text of a configuration with this app alone; what the environment overrides is in it. */
export function deriveConfig(subject: Subject, env: Environment, size: number, port: number): string {
  const parsed = parseText(readFileSync(subject.file, 'utf8'));
  const draft: Draft = { value: parsed.value as Record<string, unknown>, place: parsed.place };
  // What is wrong with them was said when the file was loaded.
  const report = new Report(subject.file, parsed);
  applyAliases(draft, env, report);
  applyOverrides(draft, env, report);
  const apps = draft.value.apps as Record<string, Record<string, unknown>>;
  const { name } = subject.app;
  const app = { ...keysOf(apps[name] ?? {}, subject, port), workers: size };
  const top = Object.fromEntries(Object.entries(draft.value).filter(([key]) => KEPT.includes(key)));
  // JSON is YAML.
  return JSON.stringify({ ...top, control: { port: 0 }, inference: { port: 0 }, apps: { [name]: app } }, null, 2);
}

function keysOf(written: Record<string, unknown>, subject: Subject, port: number): Record<string, unknown> {
  const { app, version, config } = subject;
  const keys = Object.fromEntries(Object.entries(written).filter(([key]) => !DROPPED.includes(key)));
  const absolute = (value: unknown) => path.resolve(config.dir, String(value));
  for (const key of PATHS) if (Object.hasOwn(keys, key)) keys[key] = absolute(keys[key]);
  keys.cwd ??= config.dir;
  if (keys.env_file !== undefined)
    keys.env_file = Array.isArray(keys.env_file) ? keys.env_file.map(absolute) : absolute(keys.env_file);
  if (app.kind === 'http') return { ...keys, host: LOOPBACK, port, ...probeMoved(keys.ready, app.port, port) };
  if (keys.versions === undefined) return keys;
  const chosen = (keys.versions as Record<string, Record<string, unknown>>)[version as string] ?? {};
  return { ...keys, versions: { [version as string]: { ...chosen, module: absolute(chosen.module) } } };
}

/** A probe of the port that the app has elsewhere would be answered by the one that runs there. */
function probeMoved(ready: unknown, from: number, to: number): { ready?: unknown } {
  const probe = (ready as { probe?: unknown } | undefined)?.probe;
  const [, scheme, port, rest] = /^(https?|tcp):\/\/[^/?#]*:(\d+)(.*)$/s.exec(String(probe)) ?? [];
  if (Number(port) !== from) return {};
  return { ready: { ...(ready as object), probe: `${scheme}://${LOOPBACK}:${to}${rest}` } };
}
