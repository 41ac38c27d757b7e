/** The inference server: predictions and a health check for load balancers, on its own listener so that it can be public alone. */
import type { IncomingMessage } from 'node:http';
import { tokenGate } from '../control/auth.js';
import { autoscalerRoutes } from '../control/routes/autoscaler.js';
import { createHttpApp } from '../http/app.js';
import { type Gate, hostGuard } from '../http/host-guard.js';
import { type ListeningServer, listenTcp } from '../http/listen.js';
import { reportToStderr } from '../http/report.js';
import type { Supervisor } from '../master/supervisor.js';
import { openInferenceRoutes } from './open-inference/routes.js';
import { predictRoutes } from './predict.js';

export interface InferenceOptions {
  supervisor: Supervisor;
  host: string;
  port: number;
  auth: 'token' | 'none';
  token: () => string;
  maxBodyBytes: number;
  allowedHosts: readonly string[];
  /** How long close() waits for predictions in flight. Default 30 s. */
  closeGraceMs?: number;
  /** Unexpected errors; their text never goes to a client. Default: stderr. */
  onError?: (error: unknown) => void;
}

const CLOSE_GRACE_MS = 30_000;

/** @throws SupError SUP_PORT_IN_USE */
export async function listenInference(options: InferenceOptions): Promise<ListeningServer> {
  const { supervisor, host, port, maxBodyBytes, onError = reportToStderr } = options;
  const auth = tokenGate(options.token);
  const http = createHttpApp({ gate: gateOf(options, auth), maxBodyBytes, onError });
  predictRoutes(http.app, supervisor);
  // Whoever may ask for predictions may not change models by that: this needs the token whatever `auth` says.
  const guard = options.auth === 'none' ? auth : null;
  autoscalerRoutes(http.app, supervisor, guard);
  openInferenceRoutes(http.app, { supervisor, guard });
  http.app.route({
    method: ['GET', 'HEAD'],
    url: '/health',
    handler: async (_request, reply) => {
      const { ok, apps } = supervisor.health();
      if (!ok) reply.code(503).header('retry-after', '1');
      return { status: ok ? 'ok' : 'degraded', apps };
    },
  });
  await http.ready();
  const address = await listenTcp(http.server, 'inference', host, port);
  return { address, close: () => http.close(options.closeGraceMs ?? CLOSE_GRACE_MS) };
}

function gateOf(options: InferenceOptions, auth: Gate): Gate {
  const hosts = hostGuard(options);
  if (options.auth === 'none') return hosts;
  return (request) => hosts(request) ?? (isHealth(request) ? null : auth(request));
}

/** Load balancers carry no token. */
function isHealth({ method, url = '' }: IncomingMessage): boolean {
  return (method === 'GET' || method === 'HEAD') && /^\/(?:health|v2\/health\/(?:live|ready))\/?(?:\?|$)/.test(url);
}
