/** The control plane on its two listeners: a unix socket, whose mode is the guard, and TCP, which wants the token. */
import type { IncomingMessage } from 'node:http';
import { SupError } from '../errors.js';
import { createHttpApp, type HttpApp } from '../http/app.js';
import { type Gate, hostGuard, isLoopback } from '../http/host-guard.js';
import { type ListeningServer, listenTcp } from '../http/listen.js';
import { reportToStderr } from '../http/report.js';
import { listenUnix } from '../http/unix-socket.js';
import { openInferenceRoutes } from '../inference/open-inference/routes.js';
import { predictRoutes } from '../inference/predict.js';
import type { Supervisor } from '../master/supervisor.js';
import { tokenGate } from './auth.js';
import { actRoutes } from './routes/acts.js';
import { appRoutes } from './routes/apps.js';
import { autoscalerRoutes } from './routes/autoscaler.js';
import { configRoutes } from './routes/config.js';
import { decisionRoutes } from './routes/decisions.js';
import { logRoutes } from './routes/logs.js';
import { masterRoutes } from './routes/master.js';
import { packageUnloadingRoutes } from './routes/package-unloading.js';
import { resourceRoutes } from './routes/resources.js';

export interface ControlOptions {
  supervisor: Supervisor;
  socketPath: string;
  tcp: { host: string; port: number; auth: 'token' | 'none'; allowedHosts: string[] } | null;
  /** Asked on each request, so that a changed token counts at once. */
  token: () => string;
  /** Default 8 MiB; on the unix socket it bounds predictions too. */
  maxBodyBytes?: number;
  /** Unexpected errors; their text never goes to a client. Default: stderr. */
  onError?: (error: unknown) => void;
}

const CLOSE_MS = 2000;
const DEFAULT_MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Answers predictions too, under the paths of the inference server, so that the CLI needs one way in only. */
export async function listenControlSocket(options: ControlOptions): Promise<ListeningServer> {
  const http = controlApp(options, null);
  predictRoutes(http.app, options.supervisor);
  openInferenceRoutes(http.app, { supervisor: options.supervisor, guard: null });
  await http.ready();
  await listenUnix(http.server, options.socketPath);
  return { address: options.socketPath, close: () => http.close(CLOSE_MS) };
}

/** @throws SupError SUP_PORT_IN_USE; SUP_CONFIG_INVALID for `auth: none` off loopback */
export async function listenControlTcp(options: ControlOptions): Promise<ListeningServer> {
  const { tcp } = options;
  if (!tcp) throw new SupError('SUP_INTERNAL', 'the control plane has no TCP address');
  if (tcp.auth === 'none' && !isLoopback(tcp.host)) {
    const problem = `control.auth: none is refused on ${tcp.host}: anyone who reaches it could run commands here`;
    throw new SupError('SUP_CONFIG_INVALID', problem, { problems: [problem] });
  }
  const http = controlApp(options, tcpGate(tcp, options.token));
  await http.ready();
  const address = await listenTcp(http.server, 'control', tcp.host, tcp.port);
  return { address, close: () => http.close(CLOSE_MS) };
}

function controlApp(options: ControlOptions, gate: Gate | null): HttpApp {
  const onError = options.onError ?? reportToStderr;
  const http = createHttpApp({ gate, maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES, onError });
  const { supervisor } = options;
  masterRoutes(http.app, supervisor, onError);
  appRoutes(http.app, supervisor);
  actRoutes(http.app, supervisor);
  configRoutes(http.app, supervisor);
  logRoutes(http, supervisor);
  decisionRoutes(http, supervisor);
  resourceRoutes(http.app, supervisor);
  packageUnloadingRoutes(http.app, supervisor);
  // Its own gate has been asked before, or the mode of the socket is the guard.
  autoscalerRoutes(http.app, supervisor, null);
  return http;
}

function tcpGate(tcp: NonNullable<ControlOptions['tcp']>, token: () => string): Gate {
  const hosts = hostGuard(tcp);
  if (tcp.auth === 'none') return hosts;
  const auth = tokenGate(token);
  return (request) => hosts(request) ?? (isHealth(request) ? null : auth(request));
}

/** Open to all. Any other spelling of the path simply needs the token. */
function isHealth(request: IncomingMessage): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && /^\/api\/health\/?(?:\?|$)/.test(request.url ?? '');
}
