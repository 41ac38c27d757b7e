import type { Clock } from '../clock.js';
import type { ModelAppConfig } from '../config/schema.js';
import { servedVersions } from '../config/versions.js';
import { SupError } from '../errors.js';
import { Dispatcher, type DispatcherConfig } from '../pool/dispatcher.js';
import type { PoolEvents } from '../pool/pool.js';
import type { Service, Work } from '../pool/work.js';
import { processBackend } from '../worker/backends/process.js';
import { threadBackend } from '../worker/backends/thread.js';
import type { ModelInfo } from '../worker/protocol.js';
import { modelReady } from '../worker/readiness.js';
import type { Worker } from '../worker/worker.js';
import { type AppKindParts, type KindDependencies, workerEnv } from './kind.js';

/** `unload` and what the model registered with `ctx.resource` get this long after the drain. */
const UNLOAD_GRACE_MS = 5000;

export interface ModelParts extends AppKindParts {
  dispatcher(version: string): Dispatcher;
  /** What the worker that loaded last says of the model; null before the first. */
  info(version: string): ModelInfo | null;
}

/** Called when a prediction cannot come back: the worker that holds it must go. */
export type OnWedged = (worker: Worker, reason: string) => void;

/** A model: predictions pass the master's queue to workers in processes or threads. */
export function modelParts(
  initial: ModelAppConfig,
  deps: KindDependencies & { clock: Clock } & Pick<PoolEvents, 'decided'>,
  onWedged: OnWedged,
): ModelParts {
  let config = initial;
  const dispatchers = new Map<string, Dispatcher>();
  const infos = new Map<string, ModelInfo>();

  const dispatcher = (version: string): Dispatcher => {
    let found = dispatchers.get(version);
    if (!found) {
      const queue = dispatcherConfig(config, version);
      found = new Dispatcher(queue, {
        clock: deps.clock,
        company: deps.company,
        onDecision(decision) {
          // The kill that follows a wedge is a decision of the pool's, with the reason in it.
          if (decision.action !== 'wedged') deps.decided(queue.model, 'dispatch', decision);
        },
      });
      found.setAvailability({ kind: 'down', error: stopped(config.name) });
      dispatchers.set(version, found);
    }
    return found;
  };

  return {
    dispatcher,
    info: (version) => infos.get(version) ?? null,
    async emptied(version) {
      await dispatchers.get(version as string)?.emptied();
    },
    removed(version) {
      dispatchers.delete(version as string);
      infos.delete(version as string);
    },
    versions: (of) => (of as ModelAppConfig).versions.map((v) => v.version),
    served(of) {
      const { versions, versionPolicy } = of as ModelAppConfig;
      return servedVersions(versions, versionPolicy).map((v) => v.version);
    },
    async open() {},
    close() {},
    work: (version) =>
      modelWork(
        dispatcher(version as string),
        () => config,
        onWedged,
        (info) => infos.set(version as string, info),
      ),
    blueprint(next, name) {
      const own = next as ModelAppConfig;
      const version = own.versions.find((v) => v.version === name);
      if (!version) throw new SupError('SUP_INTERNAL', `${own.name} has no version ${name}`);
      const options = {
        config: own,
        version,
        workersDir: deps.workersDir,
        environment: deps.environment,
        env: (worker: string, slot: number) => workerEnv(own, deps.home, worker, slot),
        hosts: deps.hosts,
        keepsProcess: () => config.unload.keepProcess,
        mayKeep: () => config.unload.keepProcess && deps.calm(),
      };
      return {
        backend: own.isolation === 'thread' ? threadBackend(options) : processBackend(options),
        readiness: modelReady,
      };
    },
    renewed(version) {
      dispatcher(version as string).quarantine.clear();
    },
    configure(next) {
      config = next as ModelAppConfig;
      for (const [version, each] of dispatchers) each.configure(dispatcherConfig(config, version));
    },
  };
}

function modelWork(
  dispatcher: Dispatcher,
  config: () => ModelAppConfig,
  onWedged: OnWedged,
  onLoaded: (info: ModelInfo) => void,
): Work {
  const streaming = new WeakSet<Worker>();
  return {
    get mode() {
      return config().isolation;
    },
    get wedgeMs() {
      return config().health.wedgeMs;
    },
    speaks: true,
    overlap: true,
    get exitGraceMs() {
      return Math.min(config().stop.graceMs, UNLOAD_GRACE_MS);
    },
    admit(worker) {
      dispatcher.add({
        worker: worker.id,
        place: worker.slot,
        domain: worker.domain,
        streams: streaming.has(worker),
        send: (message) => worker.send(message),
        wedged: (reason) => onWedged(worker, reason),
      });
    },
    drain(worker) {
      dispatcher.remove(worker.id, 'draining');
      return dispatcher.idle(worker.id);
    },
    end(_worker, instance) {
      if (instance.thread === null) instance.send({ type: 'unload' });
      else instance.terminate('SIGTERM');
    },
    lost: (worker, fault) => dispatcher.remove(worker.id, fault === 'worker' ? 'dead-own-fault' : 'dead-by-supervisor'),
    message(worker, message) {
      if (message.type === 'chunk') dispatcher.chunk(worker.id, message);
      if (message.type === 'loaded') {
        onLoaded(message.info);
        if (message.info.streams) streaming.add(worker);
        else streaming.delete(worker);
        onLoaded(message.info);
      }
      if (message.type !== 'result') return;
      worker.requests += message.outcomes.length;
      dispatcher.result(worker.id, message);
    },
    inFlight: (worker) => dispatcher.busy(worker.id),
    queued: () => dispatcher.stats().queued,
    demand() {
      const { requests, completed, computeMs } = dispatcher.stats();
      return { arrivals: requests, completed, busyMs: computeMs };
    },
    busyUntil: (worker) => dispatcher.latestDeadline(worker.id),
    service: modelService(dispatcher, config),
  };
}

function modelService(dispatcher: Dispatcher, config: () => ModelAppConfig): Service {
  return {
    get config() {
      return config().health;
    },
    get maxDelayMs() {
      return config().batching.maxDelayMs;
    },
    get comparable() {
      // Keys differ in what they ask for.
      return config().routing.strategy !== 'consistent_hash';
    },
    get usualMs() {
      return dispatcher.usualMs;
    },
    pace: (worker) => dispatcher.pace(worker.id),
    suspend: (worker) => dispatcher.remove(worker.id, 'draining'),
    limit: (worker, batches) => dispatcher.limit(worker.id, batches),
    movement: () => dispatcher.movement(),
  };
}

function dispatcherConfig(config: ModelAppConfig, version: string): DispatcherConfig {
  return {
    model: `${config.name}@${version}`,
    concurrency: config.concurrency,
    timeoutMs: config.timeoutMs,
    batching: config.batching,
    queueMax: config.queue.max,
    ageingMs: config.queue.ageingMs,
    shedding: config.queue.shedding,
    idempotent: config.idempotent,
    wedgeMs: config.health.wedgeMs,
    strategy: config.routing.strategy,
  };
}

function stopped(app: string): SupError {
  return new SupError('SUP_APP_STOPPED', `${app} is stopped; start it with: supervisor start ${app}`, { app });
}
