// What is written by hand when nobody thinks of overload: Fastify in front of a Piscina pool whose queue has no bound.
// node fastify-fifo.mjs PORT SLEEP_MS CONCURRENCY
import Fastify from 'fastify';
import { Piscina } from 'piscina';

const [port, sleepMs, concurrency] = process.argv.slice(2).map(Number);

const pool = new Piscina({
  filename: new URL('./sleeps-thread.mjs', import.meta.url).href,
  workerData: { sleepMs },
  minThreads: 1,
  maxThreads: 1,
  idleTimeout: Number.POSITIVE_INFINITY,
  atomics: 'async',
  concurrentTasksPerWorker: concurrency,
});
const app = Fastify({ logger: false });
app.post('/predict', async ({ body }) => ({ outputs: await pool.run(body.inputs) }));
await pool.run({ id: 'first' });
await app.listen({ port, host: '127.0.0.1' });
