// What an experienced engineer writes by hand: Fastify in front of a Piscina pool, one task for each request.
// node fastify-piscina.mjs CLASSIFIER MODEL PORT THREADS TASKS_PER_THREAD
import { pathToFileURL } from 'node:url';
import Fastify from 'fastify';
import { Piscina } from 'piscina';

const [classifier, model, port, threads, tasksPerThread] = process.argv.slice(2);

const pool = new Piscina({
  filename: new URL('./classifier-thread.mjs', import.meta.url).href,
  workerData: { classifier: pathToFileURL(classifier).href, model },
  minThreads: Number(threads),
  maxThreads: Number(threads),
  idleTimeout: Number.POSITIVE_INFINITY,
  // With 4 tasks per thread as fast as 'sync', which blocks an idle thread's event loop, and a fifth faster than 'disabled'.
  atomics: 'async',
  concurrentTasksPerWorker: Number(tasksPerThread),
  maxQueue: 512,
});

const text = { type: 'string' };
const intent = { type: 'object', properties: { label: text, score: { type: 'number' } } };
const app = Fastify({ logger: false });
app.post(
  '/predict',
  {
    schema: {
      body: { type: 'object', required: ['inputs'], properties: { inputs: text } },
      response: { 200: { type: 'object', properties: { outputs: intent } } },
    },
  },
  async ({ body }) => ({ outputs: await pool.run(body.inputs) }),
);

// Threads count as started before their module has loaded: so many tasks at once make each of them load it now.
await Promise.all(Array.from({ length: threads * tasksPerThread }, () => pool.run('Where is my order?')));
await app.listen({ port: Number(port), host: '127.0.0.1' });
