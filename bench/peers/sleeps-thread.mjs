// One thread of fastify-fifo.mjs.
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';

/** @param {{ id: string }} input */
export default async function wait({ id }) {
  await sleep(workerData.sleepMs);
  return { id };
}
