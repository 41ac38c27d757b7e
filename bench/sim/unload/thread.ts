import { parentPort } from 'node:worker_threads';
import { runUnloadJob, type UnloadJob } from './job.js';

parentPort?.on('message', (job: UnloadJob) => parentPort?.postMessage(runUnloadJob(job)));
