/** What the control and the inference server have in common: a Fastify application on a server that can be closed in time. */
import { createServer, type Server, ServerResponse } from 'node:http';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { SupError } from '../errors.js';
import { errorBody, errorHeaders, refuse, refuseBrokenRequest } from './answer.js';
import type { Gate } from './host-guard.js';
import { bodyError, drainBody, installJsonBody } from './json-body.js';

/** Longer than the 60 s after which usual load balancers drop an idle connection: the side that sends requests closes first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** For receiving a whole request. It does not bound the answer: a prediction may take as long as its own deadline. */
const REQUEST_TIMEOUT_MS = 300_000;
/** A worker id or a /regex/ is one path parameter; the router's own limit is 100. */
const MAX_PARAM_CHARS = 1024;

export interface HttpAppOptions {
  /** Asked before anything else, on every method and path. */
  gate: Gate | null;
  maxBodyBytes: number;
  /** Told of errors that are not SupErrors; the client only learns that there was one. */
  onError: (error: unknown) => void;
}

export interface HttpApp {
  readonly app: FastifyInstance;
  readonly server: Server;
  /** Answers that never end by themselves; close() ends them. */
  readonly streams: Set<{ end(): void }>;
  /** Call once all routes are there, before listening. */
  ready(): Promise<void>;
  /** Stops accepting, lets what is in flight finish within `graceMs`, then closes all connections. */
  close(graceMs: number): Promise<void>;
}

export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { gate, maxBodyBytes, onError } = options;
  let inFlight = 0;
  let closing: Promise<void> | null = null;
  let onIdle: () => void = () => undefined;

  class Response extends ServerResponse {
    override writeHead(...args: [number, ...never[]]): this {
      // Decided at the head and not at the start of the request: also what was in flight when close() began says it.
      if (closing) this.shouldKeepAlive = false;
      return super.writeHead(...args);
    }
  }
  // Not 'finish': it never comes after a client's abort.
  const onResponseClose = (): void => {
    inFlight -= 1;
    if (inFlight === 0) onIdle();
  };

  const app = Fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAM_CHARS },
    clientErrorHandler: refuseBrokenRequest,
    frameworkErrors: (error, request, reply) => answer(request, reply, new SupError('SUP_BAD_REQUEST', error.message)),
    serverFactory: (handler) =>
      createServer(
        { ServerResponse: Response, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
        (request, response) => {
          inFlight += 1;
          response.on('close', onResponseClose);
          const refusal = gate === null ? null : gate(request);
          if (refusal) refuse(request, response, refusal);
          else handler(request, response);
        },
      ),
  });
  installJsonBody(app);
  const allowed = collectMethods(app);

  const toAnswer = (thrown: FastifyError | SupError): SupError => {
    if (thrown instanceof SupError) {
      if (thrown.code === 'SUP_INTERNAL') onError(thrown);
      return thrown;
    }
    const known = bodyError(thrown.code, maxBodyBytes);
    if (known) return known;
    if (thrown.code?.startsWith('FST_') && thrown.statusCode !== undefined && thrown.statusCode < 500)
      return new SupError('SUP_BAD_REQUEST', thrown.message);
    onError(thrown);
    return new SupError('SUP_INTERNAL', "internal error; the supervisor's log has the details");
  };

  app.setErrorHandler(async (thrown: FastifyError | SupError, request, reply) => {
    const error = toAnswer(thrown);
    const drained = await drainBody(request.raw);
    // Fastify asks to close after each unreadable body. Once it is drained there is no need; if it is not, there always is.
    const stays = drained && !closing && reply.raw.shouldKeepAlive;
    if (!drained || reply.hasHeader('connection')) reply.header('connection', stays ? 'keep-alive' : 'close');
    return answer(request, reply, error);
  });
  app.setNotFoundHandler((request, reply) =>
    answer(request, reply, new SupError('SUP_NOT_FOUND', `there is no ${request.method} ${request.url.split('?')[0]}`)),
  );

  const streams = new Set<{ end(): void }>();
  return {
    app,
    server: app.server,
    streams,
    async ready() {
      // Scopes register their routes only now.
      await app.after();
      refuseOtherMethods(app, allowed);
      await app.ready();
    },
    close(graceMs) {
      closing ??= new Promise<void>((resolve) => {
        // Also the connections that have not sent anything yet: Node does not count them as idle.
        onIdle = () => setImmediate(() => inFlight === 0 && app.server.closeAllConnections());
        const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
        app.server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        for (const stream of streams) stream.end();
        if (inFlight === 0) onIdle();
      }).then(() => app.close());
      return closing;
    },
  };
}

function answer(request: FastifyRequest, reply: FastifyReply, error: SupError): FastifyReply {
  return reply.code(error.status).headers(errorHeaders(error)).send(errorBody(request.url, error));
}

/** Methods of each path, as the routes are registered. */
function collectMethods(app: FastifyInstance): Map<string, Set<string>> {
  const allowed = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = allowed.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    allowed.set(url, methods);
  });
  return allowed;
}

function refuseOtherMethods(app: FastifyInstance, allowed: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, methods] of [...allowed]) {
    const allow = [...methods].join(', ');
    const others = app.supportedMethods.filter((method) => !methods.has(method));
    // In onRequest, so that the refused request's body is not parsed first.
    const onRequest = (request: FastifyRequest, reply: FastifyReply, done: (error: Error) => void): void => {
      reply.header('allow', allow);
      done(new SupError('SUP_METHOD_NOT_ALLOWED', `${request.method} is not for this path; it takes ${allow}`));
    };
    app.route({ url, method: others, onRequest, handler: async () => undefined });
  }
}
