/** From the keys of one app to what the rest of the program gets: absolute paths, files read, and all that it needs in place. */
import path from 'node:path';
import type { ParsedCommand, ParsedHttp, ParsedModel, WorkerCount } from './app-schema.js';
import type { Disk } from './files.js';
import { logOver } from './log-schema.js';
import { checkModel, resolveServing } from './model-checks.js';
import type { Report } from './report.js';
import type { AppConfig, CommonAppConfig, HttpProgram, LogConfig, ModelUnloadConfig, ModelVersion } from './types.js';

export type ParsedApp =
  | { kind: 'model'; keys: ParsedModel }
  | { kind: 'http'; keys: ParsedHttp }
  | { kind: 'command'; keys: ParsedCommand };

export interface ResolveContext {
  dir: string;
  log: LogConfig;
  cores: number;
  /** Names of the app's versions in the order of the file. */
  versionOrder: readonly string[];
  disk: Disk;
  report: Report;
}

/** Below this, a worker that misses two heartbeats by chance looks stuck. */
const SHORTEST_SURE_WEDGE_MS = 3000;

/** The app, or null where it lacks what it cannot run without; that is then reported. */
export function resolveApp(name: string, app: ParsedApp, context: ResolveContext): AppConfig | null {
  const common = resolveCommon(name, app, context);
  const at = ['apps', name];
  const { report } = context;
  switch (app.kind) {
    case 'model': {
      const versions = resolveVersions(at, app.keys, context);
      if (versions === null) return null;
      const {
        isolation,
        thread_host: threadHost,
        concurrency,
        timeout: timeoutMs,
        batching,
        queue,
        idempotent,
        scale,
        routing,
        health,
        unload: { requires, keep_process: keepProcess },
      } = app.keys;
      const serving = resolveServing(at, versions, app.keys, report);
      const work = {
        isolation,
        threadHost,
        concurrency,
        timeoutMs,
        batching,
        queue,
        idempotent,
        scale,
        routing,
        health,
      };
      checkModel(at, app.keys, common.workers, report);
      return { ...common, kind: 'model', versions, ...serving, ...work, unload: { requires, keepProcess } };
    }
    case 'http': {
      const runs = resolveProgram(at, app.keys, common.cwd, context);
      const { host, port, scale } = app.keys;
      if (port === undefined)
        missing(
          report,
          at,
          'port',
          'the port that its workers share; a program without one is `command: [node, FILE]`',
        );
      if (runs === null || port === undefined) return null;
      return { ...common, kind: 'http', runs, host, port, scale };
    }
    case 'command': {
      const { command, overlap } = app.keys;
      if (command === undefined) {
        missing(report, at, 'command', 'the program and its arguments, such as [node, job.mjs]');
        return null;
      }
      context.disk.checkProgram(command, common.cwd, [...at, 'command'], report);
      return { ...common, kind: 'command', command, overlap };
    }
  }
}

function resolveCommon(name: string, app: ParsedApp, context: ResolveContext): CommonAppConfig {
  const { dir, disk, report } = context;
  const { keys } = app;
  const at = ['apps', name];
  const cwd = path.resolve(dir, keys.cwd);
  disk.checkFolder(cwd, keys.cwd, [...at, 'cwd'], report);
  const envFiles = typeof keys.env_file === 'string' ? [keys.env_file] : keys.env_file;
  const fromFiles = envFiles.map((file, index) => {
    const where = typeof keys.env_file === 'string' ? [...at, 'env_file'] : [...at, 'env_file', String(index)];
    return disk.readEnvFile(path.resolve(dir, file), file, where, report);
  });
  if (app.kind !== 'model' && keys.node_args.length > 0 && 'command' in keys && keys.command !== undefined) {
    report.warning([...at, 'node_args'], 'has no effect on a command; write the flags into `command`');
  }
  const { recycle, restart } = keys;
  if (restart.backoffMs > restart.maxBackoffMs) {
    report.problem([...at, 'restart', 'backoff'], 'is longer than `restart.max_backoff`');
  }
  if (app.kind === 'http' && recycle.max_users !== null && recycle.user_key === null) {
    report.problem(
      [...at, 'recycle', 'max_users'],
      'needs `recycle.user_key`, such as header:x-user-id: an http app has no other sign of who asks',
      'key',
    );
  }
  const wedgeMs = app.kind === 'command' ? 0 : app.keys.health.wedgeMs;
  if (app.kind !== 'command' && wedgeMs < SHORTEST_SURE_WEDGE_MS) {
    report.warning([...at, 'health', 'wedge'], 'below 3s, a busy machine may make healthy workers look stuck');
  }
  const workers = resolveWorkers(at, keys.workers, context);
  checkSize(at, app, workers, report);
  if (app.kind !== 'command') checkHeap(at, app, report);
  return {
    name,
    namespace: keys.namespace,
    workers,
    env: Object.assign({}, ...fromFiles, keys.env),
    cwd,
    args: keys.args,
    nodeArgs: keys.node_args,
    ready: keys.ready,
    stop: keys.stop,
    restart,
    recycle: {
      maxUsers: recycle.max_users,
      userKey: recycle.user_key,
      maxRequests: recycle.max_requests,
      jitter: recycle.jitter,
      maxAgeMs: recycle.max_age,
      maxMemoryBytes: recycle.max_memory,
      maxConcurrent: recycle.max_concurrent,
    },
    leak: keys.leak,
    limits: keys.limits,
    health: { wedgeMs },
    log: logOver(keys.log, context.log),
    dependsOn: keys.depends_on,
  };
}

function resolveWorkers(
  at: readonly string[],
  given: { min: WorkerCount; max: WorkerCount },
  { cores, report }: ResolveContext,
) {
  const number = (value: WorkerCount) => (value === 'max' ? cores : value);
  const [min, max] = [number(given.min), number(given.max)];
  if (min > max) {
    const shown = given.max === 'max' ? `\`max\` (${cores} on this machine)` : '`max`';
    const size = [...at, 'workers'];
    // A bound that came from the environment is the one to look at: the file alone looks right.
    const fromOutside = ['min', 'max'].map((key) => [...size, key]).find((key) => report.isSecret(key));
    report.problem(fromOutside ?? size, `\`min\` must not be above ${shown}`);
  }
  return { min, max };
}

/** What of a size, or about one, does nothing. */
function checkSize(
  at: readonly string[],
  app: ParsedApp,
  { min, max }: { min: number; max: number },
  report: Report,
): void {
  if (app.kind === 'command') {
    if (min >= max) return;
    report.warning(
      [...at, 'workers'],
      `a command stays at \`min\` (${min}) until it is scaled by hand: nobody sees what it has to do`,
    );
  } else if (min === max && report.has([...at, 'scale'])) {
    report.warning([...at, 'scale'], 'has no effect: the size is fixed; `workers: { min: 1, max: 4 }` is a range');
  }
}

const HEAP_FLAG = /^--max[-_]old[-_]space[-_]size(?:=|$)/;

function checkHeap(at: readonly string[], app: Exclude<ParsedApp, { kind: 'command' }>, report: Report): void {
  if (app.keys.limits.heapBytes === null) return;
  const heap = [...at, 'limits', 'heap'];
  if (app.keys.node_args.some((flag) => HEAP_FLAG.test(flag)))
    report.problem(heap, 'is set by `node_args` too (--max-old-space-size): keep one of them');
  if (app.kind === 'http' && app.keys.command !== undefined)
    report.warning(heap, 'has no effect on a command; write its own flag into `command`');
}

/** Options of a version are laid over the app's, key by key. */
function resolveVersions(
  at: readonly string[],
  keys: ParsedModel,
  { dir, versionOrder, disk, report }: ResolveContext,
): ModelVersion[] | null {
  if (keys.module !== undefined) {
    const module = path.resolve(dir, keys.module);
    disk.checkFile(module, keys.module, [...at, 'module'], report);
    return [{ version: 'v1', module, options: keys.options, weight: null, unload: unloadOf(keys.unload) }];
  }
  if (keys.versions === undefined) {
    missing(report, at, 'module', 'the path of the module that exports the model');
    return null;
  }
  const resolved: ModelVersion[] = [];
  for (const version of versionOrder) {
    const entry = Object.hasOwn(keys.versions, version) ? keys.versions[version] : undefined;
    // Reported already: what is not in the parsed keys was not valid.
    if (entry === undefined) continue;
    const where = [...at, 'versions', version];
    if (entry.module === undefined) {
      missing(report, where, 'module', 'the path of the module that exports this version');
      continue;
    }
    const module = path.resolve(dir, entry.module);
    disk.checkFile(module, entry.module, [...where, 'module'], report);
    resolved.push({
      version,
      module,
      options: { ...keys.options, ...entry.options },
      weight: entry.weight ?? null,
      unload: unloadOf(keys.unload, entry.unload),
    });
  }
  if (versionOrder.length === 0) report.problem([...at, 'versions'], 'must name at least one version, such as v1');
  return resolved.length > 0 ? resolved : null;
}

/** What a version says counts before what its app says. */
function unloadOf(ofApp: ParsedModel['unload'], own: Partial<ParsedModel['unload']> = {}): ModelUnloadConfig {
  const preference = own.preference ?? ofApp.preference ?? null;
  return {
    strategy: own.strategy ?? ofApp.strategy ?? null,
    preference: preference === 'none' ? null : preference,
  };
}

function resolveProgram(
  at: readonly string[],
  keys: ParsedHttp,
  cwd: string,
  { dir, disk, report }: ResolveContext,
): HttpProgram | null {
  if (keys.script !== undefined) {
    const script = path.resolve(dir, keys.script);
    disk.checkFile(script, keys.script, [...at, 'script'], report);
    return { script };
  }
  if (keys.handler !== undefined) {
    const handler = path.resolve(dir, keys.handler);
    disk.checkFile(handler, keys.handler, [...at, 'handler'], report);
    return { handler };
  }
  if (keys.command !== undefined) {
    disk.checkProgram(keys.command, cwd, [...at, 'command'], report);
    return { command: keys.command };
  }
  missing(report, at, 'script', 'what it runs (or `handler`, or `command`)');
  return null;
}

function missing(report: Report, at: readonly string[], key: string, what: string): void {
  // Present but invalid is another error, and already reported.
  if (report.has([...at, key])) return;
  report.problem([...at, key], `is missing: write ${what}`);
}
