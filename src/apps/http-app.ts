import type { HttpAppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import { portOwner } from '../http/port-owner.js';
import type { Work } from '../pool/work.js';
import { socketBackend } from '../worker/backends/socket.js';
import { ListenSocket } from '../worker/listen-socket.js';
import { HEARTBEAT_MS, type Heartbeat } from '../worker/protocol.js';
import { aliveReady, httpReady } from '../worker/readiness.js';
import type { Worker } from '../worker/worker.js';
import { type AppKindParts, type KindDependencies, workerEnv } from './kind.js';

/** After its drain a worker may still run its own SIGTERM handler; what takes longer than this is killed. */
const EXIT_GRACE_MS = 5000;

/** What workers' beats say of their load, over all of them: a request counts as it comes, a worker's busy time is its event loop's. */
class BeatLoad {
  readonly total = { arrivals: 0, completed: 0, busyMs: 0 };
  readonly #seen = new Map<Worker, number>();

  add(worker: Worker, { requests, vitals }: Heartbeat): void {
    const came = requests - (this.#seen.get(worker) ?? 0);
    this.#seen.set(worker, requests);
    this.total.arrivals += came;
    this.total.completed += came;
    if (vitals) this.total.busyMs += vitals.utilisation * HEARTBEAT_MS;
  }

  lost(worker: Worker): void {
    this.#seen.delete(worker);
  }
}

/** An HTTP server: its workers share one listening socket, and requests don't pass the master. */
export function httpParts(
  initial: HttpAppConfig,
  deps: KindDependencies,
  notice: (text: string) => void,
): AppKindParts {
  let config = initial;
  let socket: ListenSocket | null = null;
  let opening: Promise<void> | null = null;
  let noticed = false;
  const drained = new Map<Worker, () => void>();
  const foreign = 'command' in initial.runs;
  const load = new BeatLoad();

  const work: Work = {
    mode: 'cluster',
    get wedgeMs() {
      return foreign ? null : config.health.wedgeMs;
    },
    speaks: !foreign,
    overlap: true,
    get exitGraceMs() {
      // A program that can't be told to drain does so at its SIGTERM, within the same grace.
      return foreign ? config.stop.graceMs : Math.min(config.stop.graceMs, EXIT_GRACE_MS);
    },
    admit() {},
    drain(worker, last) {
      if (foreign) return Promise.resolve();
      return new Promise((resolve) => {
        drained.set(worker, resolve);
        worker.send({ type: 'drain', last });
      });
    },
    end: (_worker, instance) => instance.terminate(config.stop.signal),
    lost(worker) {
      load.lost(worker);
      drained.get(worker)?.();
      drained.delete(worker);
    },
    message(worker, message) {
      if (message.type === 'heartbeat') load.add(worker, message);
      if (message.type === 'drained') drained.get(worker)?.();
      if (message.type === 'listening' && message.mapped && !noticed && isWider(message.address, config.host)) {
        noticed = true;
        notice(
          `the program asks to listen on ${message.address ?? 'all addresses'}, but ${config.name} is bound to ${config.host}:${config.port}; set host: 0.0.0.0 to let others in`,
        );
      }
    },
    busyUntil: () => null,
    ...(foreign ? {} : { demand: () => ({ ...load.total }) }),
  };

  const openSocket = async () => {
    if (socket) return;
    try {
      socket = await ListenSocket.open(config.host, config.port);
    } catch (error) {
      if (!(error instanceof SupError) || error.code !== 'SUP_PORT_IN_USE') throw error;
      const owner = portOwner(config.port);
      throw new SupError(
        'SUP_PORT_IN_USE',
        `port ${config.port} of ${config.name} is in use${owner ? ` by ${owner.command} (pid ${owner.pid})` : ''}; stop it, or set another port`,
        { ...error.data, app: config.name, owner },
      );
    }
  };

  return {
    versions: () => [null],
    served: () => [null],
    async open() {
      // One at a time: two starts at once would find the port taken by each other.
      opening ??= openSocket().finally(() => {
        opening = null;
      });
      await opening;
    },
    close() {
      socket?.close();
      socket = null;
    },
    work: () => work,
    blueprint(next) {
      const own = next as HttpAppConfig;
      return {
        backend: socketBackend({
          config: own,
          socket: () => {
            if (!socket) throw new SupError('SUP_INTERNAL', `${own.name} has no socket`);
            return socket;
          },
          workersDir: deps.workersDir,
          environment: deps.environment,
          env: (worker, slot) => workerEnv(own, deps.home, worker, slot),
        }),
        readiness: 'command' in own.runs ? aliveReady(own.ready.probe) : httpReady(own.port, own.ready.probe),
      };
    },
    renewed() {},
    async emptied() {},
    removed() {},
    configure(next) {
      config = next as HttpAppConfig;
    },
  };
}

function isWider(asked: string | null, bound: string): boolean {
  return ['127.0.0.1', 'localhost', '::1'].includes(bound) && (asked === null || asked === '0.0.0.0' || asked === '::');
}
