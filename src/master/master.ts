import { systemClock } from '../clock.js';
import { loadOrCreateToken } from '../control/auth.js';
import { SupError } from '../errors.js';
import { Acts } from './acts.js';
import { ConfigChanges } from './config-changes.js';
import { ConfigFiles } from './config-files.js';
import { Configs } from './configs.js';
import { Core, WORKERS_DIR } from './core.js';
import { describe } from './describe.js';
import { Garbage } from './garbage.js';
import { healthOf } from './health.js';
import { type Home, prepareHome } from './home.js';
import { killLeftovers } from './leftovers.js';
import { Listeners } from './listeners.js';
import { type Lock, takeLock } from './lock.js';
import { openMasterLog } from './log.js';
import { LogReader } from './log-reader.js';
import { ModelMetadataReader } from './model-metadata.js';
import { shown } from './overrides.js';
import { Plugins } from './plugins.js';
import type { Registry } from './registry.js';
import { LearnedFile, StateFile } from './state-file.js';
import type { PredictRequest, Supervisor } from './supervisor.js';
import { selectTargets } from './targets.js';
import { trackedActs } from './tracked-acts.js';
import { packageVersion } from './version.js';

export interface MasterOptions {
  home: Home;
  env: NodeJS.ProcessEnv;
  /** Where the master's own log lines go besides its file; null in the background. */
  echo: NodeJS.WritableStream | null;
}

export interface Master extends Supervisor {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly registry: Registry;
  /** Kills what still drains. */
  hurry(reason: string): void;
  reopenLogs(): void;
  /** To the master's log. */
  warn(text: string): void;
}

/**
 * Takes the state folder and wires the parts; decides nothing.
 * @throws SupError SUP_MASTER_RUNNING, SUP_MASTER_START_FAILED
 */
export async function createMaster({ home, env, echo }: MasterOptions): Promise<Master> {
  prepareHome(home);
  const lock: Lock = await takeLock(home);
  const clock = systemClock;
  const log = openMasterLog(home, echo);
  const warn = (text: string) => log.warn(text);
  const killed = killLeftovers(home.dir);
  if (killed.length > 0) log.warn({ pids: killed }, 'killed workers that a former master left behind');
  const { token, warnings } = loadOrCreateToken(home.dir);
  const stateFile = new StateFile(home.dir);
  const { state, warnings: stateWarnings } = stateFile.read();
  const learnedFile = new LearnedFile(home.dir);
  const { state: learned, warnings: learnedWarnings } = learnedFile.read();
  for (const text of [...warnings, ...stateWarnings, ...learnedWarnings]) warn(text);

  const core = new Core({
    clock,
    home: home.dir,
    logsDir: home.logs,
    pins: state.pins,
    learned: learned.models,
    learn: (models) => learnedFile.write({ models }),
    warn,
  });
  const { decisions, events, hooks, runtime, registry, predictions, observation } = core;
  const plugins = new Plugins(hooks, runtime.strategies, warn, { clock, info: (text) => log.info(text) });
  decisions.onDecision((d) => log.info({ policy: d.policy, ...d.numbers }, `${d.subject}: ${d.action}: ${d.reason}`));
  const metadata = new ModelMetadataReader({
    registry,
    clock,
    warn,
    home: home.dir,
    workersDir: WORKERS_DIR,
    groups: core.guard,
    wake: ({ app }, version) => {
      const pool = app.pools.get(version);
      const model = pool && runtime.of(app, pool);
      if (!model) return false;
      runtime.wake(model);
      return runtime.isLoading(model);
    },
  });
  events.on((event) => {
    if (event.type !== 'worker') return;
    const entry = registry.ofWorker(event.worker);
    if (!entry) return;
    if (event.state === 'ready') metadata.noticed(entry);
    else if (event.from === 'starting') metadata.gaveUp(entry);
  });
  const { resources } = observation;
  const garbage = new Garbage({ clock, apps: () => registry.apps });
  const logs = new LogReader(registry);
  const configs = new Configs(() => new Set(registry.entries.map((entry) => entry.file)));
  const files = new ConfigFiles({
    env,
    configs,
    overrides: state.overrides,
    apps: () => registry.entries,
    dropped: ({ override: { path, value }, why }) =>
      decisions.add(path[0] === 'apps' ? (path[1] ?? '') : 'supervisor', 'config', {
        action: 'drop',
        reason: why,
        numbers: { key: path.join('.'), value: shown(value) },
      }),
  });
  const settle = () => {
    files.forgetGone();
    const { ruling } = configs.ruling();
    if (ruling) core.configure(ruling);
    stateFile.write({
      configs: configs.list().map(({ file, hash }) => ({ file, hash })),
      pins: Object.fromEntries(
        registry.apps.flatMap((app) =>
          [...app.pins].map(([version, size]) => [version === null ? app.name : `${app.name}@${version}`, size]),
        ),
      ),
      overrides: files.kept,
    });
  };
  const changes = new ConfigChanges({
    registry,
    configs,
    files,
    now: () => new Date(clock.wall()).toISOString(),
    strategies: () => runtime.strategies.names,
    decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
    adopted: (changed) => {
      for (const { before, after } of changed) {
        if (before.config.log.level !== after.config.log.level) log.level = after.config.log.level;
        if (before.config.inference.defaultModel !== after.config.inference.defaultModel)
          predictions.defaultModel = after.config.inference.defaultModel;
      }
      settle();
    },
  });
  const acts = new Acts({
    registry,
    files,
    open: async (config) => {
      const { warnings: ofBox } = configs.ruling();
      const [ofPlugins, ofListeners] = await Promise.all([plugins.load(configs.plugins()), listeners.apply(config)]);
      for (const text of ofPlugins) warn(text);
      return [...ofBox, ...ofPlugins, ...ofListeners];
    },
    configured: (file) => {
      const { config } = file;
      files.applied(file);
      log.level = config.log.level;
      predictions.defaultModel = config.inference.defaultModel ?? predictions.defaultModel;
      settle();
    },
    changed: settle,
    measure: () => observation.sampling.refresh(),
  });

  const tracked = trackedActs(acts, hooks, clock);

  let ending: Promise<void> | null = null;
  let ended = () => {};
  const end = async (reason: string) => {
    log.info(`ending: ${reason}`);
    await core.stop();
    await listeners.close();
    await core.close();
    log.info('ended');
    await log.flushed();
    lock.release();
    ended();
  };

  const startedAtMs = clock.wall();
  const master: Master = {
    version: packageVersion(),
    startedAt: new Date(startedAtMs).toISOString(),
    home: home.dir,
    ended: new Promise<void>((resolve) => {
      ended = resolve;
    }),
    registry,
    health: () => healthOf(registry.apps),
    list: () => registry.apps.flatMap((app) => app.rows()),
    apply: (file, options) => notEnding(tracked).apply(file, options),
    act: (verb, target) => notEnding(tracked).act(verb, target),
    scale: (target, size) => notEnding(tracked).scale(target, size),
    describe: (target) => {
      const models = runtime.status();
      return selectTargets(registry.apps, target).flatMap((s) => describe(s, registry, decisions, resources, models));
    },
    models: () => runtime.status(),
    unloading: () => runtime.unloading(),
    config: () => changes.report(),
    patchConfig: async (settings) => notEnding(changes).patch(settings),
    resetConfig: async (key) => notEnding(changes).reset(key),
    decisions: (filter) => decisions.list(filter),
    logs: (target, options) => logs.tail(target, options),
    followLogs: (target, onLine) => logs.follow(target, onLine),
    onEvent: (listener) => events.on(listener),
    predict: (request: PredictRequest) => predictions.predict(request),
    stream: (request) => predictions.stream(request),
    versionFor: (model, version, user) => predictions.versionFor(model, version, user),
    modelMetadata: (model, version, options) => metadata.of(model, version, options),
    defaultModel: () => predictions.nameOfDefault(),
    userHeader: (model) => predictions.userHeader(model),
    routingHeader: (model) => predictions.routingHeader(model),
    modelWindow: (seconds) => core.modelWindow(seconds),
    resources: () => resources.report(),
    memory: () => resources.memory(),
    cleanup: () => resources.cleanUp(),
    collectGarbage: () => garbage.collect(),
    shutdown: (reason) => {
      ending ??= end(reason);
      return ending;
    },
    hurry: (reason) => {
      for (const app of registry.everything) for (const pool of app.pools.values()) pool.killAll(reason);
    },
    warn,
    reopenLogs: () => {
      for (const entry of registry.entries) entry.log.reopen();
      log.reopen();
    },
  };
  const notEnding = <T>(part: T): T => {
    if (ending) throw new SupError('SUP_SHUTTING_DOWN', 'the supervisor is shutting down');
    return part;
  };
  const listeners = new Listeners({
    supervisor: master,
    socketPath: home.socket,
    token: () => token,
    onError: (error) => log.error({ err: error }, 'unexpected error in an HTTP handler'),
  });
  await listeners.openSocket();
  log.info({ pid: process.pid, home: home.dir }, `model-supervisor ${master.version} started`);
  return master;
}
