/**
 * The main module of an http app that names a `handler:`. Imports the module, makes a server of what it exports and listens on PORT,
 * which the preload turns into the shared socket.
 */
import http from 'node:http';
import { pathToFileURL } from 'node:url';

interface FastifyLike {
  listen(options: { port: number; host: string }): Promise<unknown>;
  ready(): Promise<unknown>;
}

const [file = ''] = process.argv.splice(2, 1);
const port = Number(process.env.PORT);
const host = process.env.HOST ?? '127.0.0.1';

const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
const exported = module.default ?? module.handler ?? module.app ?? module;
// A CommonJS module that was compiled from an ES module keeps its default one level deeper.
const app = (exported as { default?: unknown }).default ?? exported;

if (typeof app === 'function') {
  const server = http.createServer(app as http.RequestListener);
  server.listen(port, host);
} else if (isFastify(app)) {
  await app.listen({ port, host });
} else {
  console.error(
    `${file} exports no handler: export default a function (req, res), an Express app or a Fastify instance; it exports ${Object.keys(module).join(', ') || 'nothing'}`,
  );
  process.exit(1);
}

function isFastify(value: unknown): value is FastifyLike {
  const candidate = value as Partial<FastifyLike> | null;
  return typeof candidate?.listen === 'function' && typeof candidate.ready === 'function';
}
