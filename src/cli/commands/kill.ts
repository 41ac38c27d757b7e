import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../../worker/kill.js';
import { EXIT, usage } from '../exit.js';
import { startSpinner } from '../spinner.js';
import type { Run } from '../verbs.js';

const DEADLINE_MS = 60_000;
const CHECK_MS = 50;

export const run: Run = async (context, [target]) => {
  if (target !== undefined)
    throw usage(`'kill' stops the master and everything; for one app: supervisor stop ${target}, or delete ${target}`);
  const { pid } = await context.client.health();
  await context.client.post('/api/shutdown');
  const spinner = await startSpinner(context, 'waiting for the last requests and the end of all workers');
  try {
    const deadline = performance.now() + DEADLINE_MS;
    while (isAlive(pid) || (await context.client.probe()) !== null) {
      if (performance.now() > deadline) {
        context.fail(`the master (pid ${pid}) is still ending after ${DEADLINE_MS / 1000} s`);
        return EXIT.failed;
      }
      await sleep(CHECK_MS);
    }
  } finally {
    spinner.stop();
  }
  context.print('everything is stopped');
  return EXIT.done;
};
