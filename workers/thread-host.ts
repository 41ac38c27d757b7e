import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import {
  type FromHost,
  type FromWorker,
  HEARTBEAT_MS,
  type Heartbeat,
  type ThreadEnvelope,
  type ToHost,
  type ToWorker,
} from '../src/worker/protocol.js';
import { exitFlushed } from './host-exit.js';
import { HostedThread } from './hosted-thread.js';
import { postResult } from './post-result.js';
import { SharedKeys } from './shared-keys.js';
import { VitalSigns } from './vitals.cjs';

/** What `endThread` gives a thread to unload, unless it says otherwise. */
const UNLOAD_GRACE_MS = 5000;
/** The master kills what takes longer; this is for the case that it is not there to do it. */
const END_DEADLINE_MS = 30_000;

const threads = new Map<number, HostedThread>();
const shared = new SharedKeys({
  load: (thread, key) => threads.get(thread)?.tell({ type: 'sharing', step: 'load', key }),
  give(giver, taker, key) {
    const { port1, port2 } = new MessageChannel();
    threads.get(taker)?.tell({ type: 'sharing', step: 'take', key, port: port1 }, [port1]);
    threads.get(giver)?.tell({ type: 'sharing', step: 'give', key, port: port2 }, [port2]);
  },
  left: (thread, last) => threads.get(thread)?.tell({ type: 'sharing', step: 'left', last }),
  inFlight: (thread) => threads.get(thread)?.inFlight ?? 0,
});
const vitals = new VitalSigns();
let ending: Promise<never> | null = null;

/** The threads of one pool, each a model of its own. What runs on this loop is messages, and no user code. */
export function runThreadHost(): void {
  process.on('SIGTERM', () => void end());
  process.on('message', (envelope) => {
    const { thread, message } = envelope as ThreadEnvelope<ToWorker | ToHost>;
    if (message.type === 'startThread') startThread(message);
    else if (message.type === 'endThread') threads.get(message.thread)?.end(message.graceMs ?? UNLOAD_GRACE_MS);
    else receive(thread, message);
  });
  vitals.beat(HEARTBEAT_MS, (taken) => send(0, heartbeat(taken)));
  send(0, { type: 'hello', pid: process.pid });
}

function startThread({ thread: number, concurrency, resourceLimitsMb }: ToHost & { type: 'startThread' }): void {
  const thread = new HostedThread(
    { concurrency, resourceLimitsMb },
    {
      message: (message) => send(number, message),
      sharing: (message) => shared.received(number, message),
      exit: (message) => {
        threads.delete(number);
        shared.gone(number);
        send(0, { type: 'threadExit', thread: number, message });
      },
    },
  );
  threads.set(number, thread);
}

function receive(number: number, message: ToWorker): void {
  const thread = threads.get(number);
  switch (message.type) {
    case 'predict':
      thread?.predict(message);
      return;
    case 'abort':
    case 'more':
    case 'cleanup':
    case 'check':
      thread?.tell(message);
      return;
    case 'load':
      thread?.load(message);
      return;
    case 'unload':
      thread?.end(UNLOAD_GRACE_MS);
      return;
    case 'drain':
    case 'limits':
      // For http workers.
      return;
  }
}

/** Unloads all threads and exits; a second call joins the first. */
function end(): Promise<never> {
  ending ??= (async () => {
    const ended = Promise.all([...threads.values()].map((thread) => thread.end(UNLOAD_GRACE_MS)));
    await Promise.race([ended, sleep(END_DEADLINE_MS)]);
    return exitFlushed(0, { thread: 0, message: heartbeat(vitals.take()) });
  })();
  return ending;
}

/** Of the host itself, which serves nothing. */
function heartbeat(taken: Heartbeat['vitals']): Heartbeat {
  return { type: 'heartbeat', requests: 0, users: 0, inFlight: 0, vitals: taken };
}

function send(thread: number, message: FromWorker | FromHost): void {
  if (!process.connected) return;
  const envelope = (content: FromWorker | FromHost): ThreadEnvelope<FromWorker | FromHost> => ({
    thread,
    message: content,
  });
  // What passes from a thread to here (shared memory, for one) need not pass between processes.
  if (message.type === 'result') postResult(message, (result) => process.send?.(envelope(result)));
  else process.send?.(envelope(message));
}
