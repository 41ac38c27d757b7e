import type { MessagePort } from 'node:worker_threads';
import { messageOf } from '../src/errors.js';
import type { FromWorker } from '../src/worker/protocol.js';
import { flushOutput } from './host-exit.js';
import { ModelIsolate } from './model-isolate.js';
import { ModelRunner } from './model-runner.js';
import { Shares } from './model-shares.js';
import { postResult } from './post-result.js';
import { ThreadNeighbours } from './thread-neighbours.js';
import type { SharingMessage, TaskResult, ThreadNote, ThreadTask } from './thread-protocol.js';

let port: MessagePort | null = null;
let runner: ModelRunner | null = null;
const isolate = new ModelIsolate(() => runner);
const neighbours = new ThreadNeighbours(post);

/** What Piscina runs in a thread of a host: one model on a loop of its own. */
export default async function runTask(task: ThreadTask): Promise<TaskResult | undefined> {
  switch (task.type) {
    case 'start':
      start(task.port);
      return undefined;
    case 'load':
      process.env.SUPERVISOR_APP = task.message.app;
      process.env.SUPERVISOR_WORKER = task.message.worker;
      try {
        runner = await ModelRunner.load(task.message, new Shares(neighbours));
        return { type: 'loaded', info: runner.info };
      } catch (error) {
        await flushOutput();
        return {
          type: 'loadFailed',
          message: messageOf(error),
          stack: error instanceof Error ? (error.stack ?? null) : null,
        };
      }
    case 'predict': {
      const result = await runner?.predict(task.batch, task.inputs, task.stream ? post : null);
      // Not as the task's value: one that cannot be cloned would end the thread.
      if (result) postResult(result, post);
      return undefined;
    }
    case 'unload': {
      const unloaded = await isolate.unload(drop);
      await flushOutput();
      return unloaded ?? undefined;
    }
  }
}

function start(own: MessagePort): void {
  port = own;
  port.on('message', (note: ThreadNote) => {
    if (note.type === 'abort') runner?.abort(note.batch);
    else if (note.type === 'more') runner?.more(note.batch, note.chunks);
    else if (note.type === 'check') isolate.check(note, post);
    else if (note.type === 'sharing') neighbours.received(note);
    else isolate.clean(note, post);
  });
  post({ type: 'hello', pid: process.pid });
  isolate.beat(post);
}

function drop(): void {
  // What it counted last.
  post(isolate.heartbeat());
  runner = null;
}

function post(message: FromWorker | SharingMessage): void {
  port?.postMessage(message);
}
