import { parentPort } from 'node:worker_threads';
import { type KeepaliveJob, runKeepaliveJob } from './job.js';

parentPort?.on('message', (job: KeepaliveJob) => parentPort?.postMessage(runKeepaliveJob(job)));
