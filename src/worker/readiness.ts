import http from 'node:http';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Probe } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { FromWorker } from './protocol.js';

/** One boot, as a readiness gate sees it. */
export interface Boot {
  readonly worker: string;
  /** Aborted when the boot is over: timed out, died or stopped. */
  readonly signal: AbortSignal;
  /** Calls back with each message of this life. */
  onMessage(listener: (message: FromWorker) => void): void;
  /** Calls back with each line that this worker prints. */
  onLine(listener: (line: string) => void): void;
  /** Shown while it boots and when it times out: what is being waited for. */
  waitingFor(what: string): void;
}

/** Resolves when the worker may take work. @throws SupError SUP_WORKER_BOOT_FAILED */
export type Readiness = (boot: Boot) => Promise<void>;

/** A command without a probe counts as up once it has lived this long. */
const ALIVE_MS = 200;
const PROBE_INTERVAL_MS = 100;
const PROBE_TIMEOUT_MS = 2000;

/** `load` and `warmup` resolved. */
export const modelReady: Readiness = (boot) =>
  new Promise((resolve, reject) => {
    boot.waitingFor('load and warmup');
    boot.onMessage((message) => {
      if (message.type === 'loaded') resolve();
      if (message.type === 'loadFailed')
        reject(
          new SupError('SUP_WORKER_BOOT_FAILED', `${boot.worker} failed to load: ${message.message}`, {
            worker: boot.worker,
          }),
        );
    });
  });

/** It listens on its port, or says that it is ready; then its probe, if it has one. */
export function httpReady(port: number, probe: Probe | null): Readiness {
  return async (boot) => {
    boot.waitingFor(`it to listen on port ${port}`);
    await new Promise<void>((resolve) => {
      boot.onMessage((message) => {
        if (message.type !== 'listening') return;
        if (message.mapped) resolve();
        else
          boot.waitingFor(
            `it to listen on port ${port}: it listens on ${message.port ?? 'a pipe'}; let the program use process.env.PORT, or set port: ${message.port ?? port}`,
          );
      });
    });
    if (probe) await answers(boot, probe);
  };
}

/** Its probe, or being alive for a moment. */
export function aliveReady(probe: Probe | null): Readiness {
  return async (boot) => {
    if (probe) return answers(boot, probe);
    boot.waitingFor(`it to be alive for ${ALIVE_MS} ms`);
    await delay(ALIVE_MS, undefined, { signal: boot.signal });
  };
}

async function answers(boot: Boot, probe: Probe): Promise<void> {
  if (probe.kind === 'log') {
    const pattern = new RegExp(probe.pattern);
    boot.waitingFor(`a line of output that matches ${pattern}`);
    return new Promise((resolve) => {
      boot.onLine((line) => {
        if (pattern.test(line)) resolve();
      });
    });
  }
  const target = probe.kind === 'http' ? probe.url : `tcp://${probe.host}:${probe.port}`;
  boot.waitingFor(`${target} to answer`);
  for (;;) {
    const failure = probe.kind === 'http' ? await getOnce(probe.url) : await connectOnce(probe.host, probe.port);
    if (failure === null) return;
    boot.waitingFor(`${target} to answer (${failure})`);
    await delay(PROBE_INTERVAL_MS, undefined, { signal: boot.signal });
  }
}

/** Null when the answer is 2xx or 3xx, else what was wrong. */
function getOnce(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: PROBE_TIMEOUT_MS }, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 400 ? null : `status ${status}`);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

function connectOnce(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const end = (failure: string | null) => {
      socket.destroy();
      resolve(failure);
    };
    socket.on('connect', () => end(null));
    socket.on('timeout', () => end('no answer'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
