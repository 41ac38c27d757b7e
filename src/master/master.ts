import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.js';
import { loadOrCreateToken } from '../control/auth.js';
import { SupError } from '../errors.js';
import { ModelHistory } from '../metrics/model-history.js';
import { ModelRuntime } from '../models/runtime.js';
import { Hooks } from '../monitor/hooks.js';
import { Acts } from './acts.js';
import { updateQueues } from './availability.js';
import { Configs } from './configs.js';
import { DecisionLog } from './decisions.js';
import { describe } from './describe.js';
import { EventHub } from './events.js';
import { Guard } from './guard.js';
import { type Home, prepareHome } from './home.js';
import { killLeftovers } from './leftovers.js';
import { Listeners } from './listeners.js';
import { type Lock, takeLock } from './lock.js';
import { openMasterLog } from './log.js';
import { LogReader } from './log-reader.js';
import { Observation } from './observation.js';
import { Plugins } from './plugins.js';
import { Predictions } from './predictions.js';
import { Registry } from './registry.js';
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

/** Compiled worker programs stand beside the compiled sources. */
const WORKERS_DIR = fileURLToPath(new URL('../../workers', import.meta.url));

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

  const guard = new Guard(home.dir);
  const decisions = new DecisionLog(clock);
  const events = new EventHub(clock, decisions);
  const hooks = new Hooks(warn);
  const plugins = new Plugins(hooks, warn, { clock, info: (text) => log.info(text) });
  decisions.onDecision((decision) => hooks.decision(decision));
  decisions.onDecision((d) => log.info({ policy: d.policy, ...d.numbers }, `${d.subject}: ${d.action}: ${d.reason}`));

  const runtime: ModelRuntime = new ModelRuntime({
    clock,
    apps: () => registry.everything,
    decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
    warn,
    room: () => observation.box.room(),
    pressure: () => observation.box.level,
    changed: (app) => {
      updateQueues(app, runtime);
      events.appChanged(app);
    },
    learned: learned.models,
    learn: (models) => learnedFile.write({ models }),
  });
  const registry: Registry = new Registry({
    clock,
    random: Math.random,
    groups: guard,
    home: home.dir,
    logsDir: home.logs,
    workersDir: WORKERS_DIR,
    pins: state.pins,
    warn,
    life: runtime,
    hasRoom: (bytes) => observation.box.hasRoom(bytes),
    events: {
      decided: (subject, policy, decision) => decisions.add(subject, policy, decision),
      stateChanged: (worker, from) => {
        events.workerChanged(worker, from);
        const entry = registry.ofWorker(worker.id);
        if (!entry) return;
        // Before its first request: what it begins with is not what it was asked to do.
        if (worker.state === 'ready' && from === 'starting' && worker.limits.maxMemoryBytes !== null)
          observation.sampling.lookAt(worker);
        runtime.workerChanged(entry.app, worker);
        updateQueues(entry.app, runtime);
        if (events.appChanged(entry.app) === 'online') registry.unblock(entry.app.name);
      },
    },
    changed: (app) => {
      runtime.appChanged(app);
      updateQueues(app, runtime);
      events.appChanged(app);
    },
  });
  const predictions = new Predictions(registry, clock, runtime);
  const modelHistory = new ModelHistory(clock.now());
  const seeModels = (now: number) => modelHistory.tick(runtime.counts(), now);
  const observation = new Observation({
    clock,
    home: home.dir,
    apps: () => registry.apps,
    decisions,
    hooks,
    warn,
    sampled: (at) => {
      runtime.sampled(at);
      seeModels(at);
    },
    evict: (pool, reason) => runtime.evict(pool, reason),
  });
  const { resources } = observation;
  const logs = new LogReader(registry);
  const configs = new Configs(() => new Set(registry.entries.map((entry) => entry.file)));
  const settle = () => {
    const { ruling } = configs.ruling();
    if (ruling) {
      observation.configure(ruling);
      runtime.configure(ruling);
    }
    stateFile.write({
      configs: configs.list().map(({ file, hash }) => ({ file, hash })),
      pins: Object.fromEntries(
        registry.apps.flatMap((app) =>
          [...app.pins].map(([version, size]) => [version === null ? app.name : `${app.name}@${version}`, size]),
        ),
      ),
    });
  };
  const acts = new Acts({
    registry,
    env,
    open: async (config) => {
      const { warnings: ofBox } = configs.ruling();
      const [ofPlugins, ofListeners] = await Promise.all([plugins.load(configs.plugins()), listeners.apply(config)]);
      for (const text of ofPlugins) warn(text);
      return [...ofBox, ...ofPlugins, ...ofListeners];
    },
    configured: (config) => {
      configs.add(config);
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
    await registry.retire();
    observation.close();
    runtime.close();
    await listeners.close();
    await Promise.all(registry.entries.map((entry) => entry.log.close()));
    await guard.close();
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
    health: () => {
      const apps = registry.apps.flatMap((app) =>
        app.rows().map((row) => ({
          ...row,
          ended: app.endedWith() === 0,
          served: app.serves(row.version) || row.state !== 'stopped',
        })),
      );
      return {
        ok: apps.every((row) => row.min === 0 || row.ready > 0 || row.ended || row.state === 'idle' || !row.served),
        apps: apps.map(({ name, version, state: appState, ready, desired }) => ({
          name,
          version,
          state: appState,
          ready,
          desired,
        })),
      };
    },
    list: () => registry.apps.flatMap((app) => app.rows()),
    apply: (file, options) => refuseWhenEnding().apply(file, options),
    act: (verb, target) => refuseWhenEnding().act(verb, target),
    scale: (target, size) => refuseWhenEnding().scale(target, size),
    describe: (target) => {
      const models = runtime.status();
      return selectTargets(registry.apps, target).flatMap((s) => describe(s, registry, decisions, resources, models));
    },
    models: () => runtime.status(),
    decisions: (filter) => decisions.list(filter),
    logs: (target, options) => logs.tail(target, options),
    followLogs: (target, onLine) => logs.follow(target, onLine),
    onEvent: (listener) => events.on(listener),
    predict: (request: PredictRequest) => predictions.predict(request),
    stream: (request) => predictions.stream(request),
    defaultModel: () => predictions.nameOfDefault(),
    userHeader: (model) => predictions.userHeader(model),
    routingHeader: (model) => predictions.routingHeader(model),
    modelWindow: (seconds) => {
      // Up to now, and not to the last tick only.
      seeModels(clock.now());
      return modelHistory.over(seconds, clock.now());
    },
    resources: () => resources.report(),
    memory: () => resources.memory(),
    cleanup: () => resources.cleanUp(),
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
  const refuseWhenEnding = (): typeof tracked => {
    if (ending) throw new SupError('SUP_SHUTTING_DOWN', 'the supervisor is shutting down');
    return tracked;
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
