import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../src/errors.js';
import type { FromWorker, LoadMessage, ToWorker, UnloadedMessage } from '../src/worker/protocol.js';
import { exitFlushed } from './host-exit.js';
import type { Context } from './model-context.js';
import { ModelIsolate } from './model-isolate.js';
import { ModelRunner } from './model-runner.js';
import { NoNeighbours, Shares } from './model-shares.js';
import { postResult } from './post-result.js';

/** The master kills what takes longer; this is for the case that it is not there to do it. */
const UNLOAD_DEADLINE_MS = 60_000;

let runner: ModelRunner | null = null;
/** While it loads, or from then on: what it was told. */
let context: Context | null = null;
let unloading: Promise<UnloadedMessage | null> | null = null;
let ending: Promise<never> | null = null;
const isolate = new ModelIsolate(() => runner);

/** One model in this process, on the loop of its main thread. */
export function runProcessHost(): void {
  process.on('SIGTERM', () => void end());
  process.on('message', (message) => receive(message as ToWorker));
  isolate.beat(send);
  send({ type: 'hello', pid: process.pid });
}

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'predict':
      void runner
        ?.predict(message.batch, message.inputs, message.stream ? send : null)
        .then((result) => postResult(result, send));
      return;
    case 'more':
      runner?.more(message.batch, message.chunks);
      return;
    case 'abort':
      runner?.abort(message.batch);
      return;
    case 'cleanup':
      isolate.clean(message, send);
      return;
    case 'check':
      isolate.check(message, send);
      return;
    case 'load':
      void load(message);
      return;
    case 'unload':
      void (message.stay ? stay() : end());
      return;
    case 'drain':
    case 'limits':
      // For http workers.
      return;
  }
}

async function load(message: LoadMessage): Promise<void> {
  // It may be another one than the process was started for.
  process.env.SUPERVISOR_WORKER = message.worker;
  try {
    runner = await ModelRunner.load(message, new Shares(new NoNeighbours()), (own) => {
      context = own;
    });
    if (!ending) send({ type: 'loaded', info: runner.info });
  } catch (error) {
    if (ending) return;
    const stack = error instanceof Error ? (error.stack ?? null) : null;
    process.stderr.write(`${stack ?? String(error)}\n`);
    await exitFlushed(1, { type: 'loadFailed', message: messageOf(error), stack });
  }
}

/** Unloads, and waits for what is loaded next. */
async function stay(): Promise<void> {
  // Nothing was loaded yet: what is loading can't be taken back.
  if (!runner) return end();
  const unloaded = await unload(true);
  if (unloaded && !ending) send(unloaded);
}

/** Once a model; a second call joins the first. */
function unload(stays = false): Promise<UnloadedMessage | null> {
  unloading ??= isolate.unload(drop, stays).finally(() => {
    unloading = null;
  });
  return unloading;
}

/** Unloads and exits; a second call joins the first. */
function end(): Promise<never> {
  ending ??= (async () => {
    // A load that goes on is told, and not waited for.
    context?.abort('the worker ends');
    const unloaded = await Promise.race([unload(), sleep(UNLOAD_DEADLINE_MS, null)]);
    return exitFlushed(0, unloaded ?? isolate.heartbeat());
  })();
  return ending;
}

function drop(): void {
  // What it counted last.
  send(isolate.heartbeat());
  runner = context = null;
}

function send(message: FromWorker): void {
  if (process.connected) process.send?.(message);
}
