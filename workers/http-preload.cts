/**
 * Loaded with --require before an http app's own program, which stays the main module. It turns the program's `listen(PORT)` into
 * the listening socket that the worker inherited, counts requests and users, beats, and drains when told to. User code is untouched.
 */
import diagnostics = require('node:diagnostics_channel');
import type http = require('node:http');
import net = require('node:net');
import cleaning = require('../src/embed/cleaner.cjs');
import vital = require('./vitals.cjs');

import type { CleanupMessage, FromWorker, ToWorker } from '../src/worker/protocol.js' with {
  'resolution-mode': 'import',
};

// Without a handler Node opens the inspector on SIGUSR1.
process.on('SIGUSR1', () => {});

interface Settings {
  fd: number;
  port: number;
  backlog: number;
  userHeader: string | null;
  maxRequests: number | null;
  maxUsers: number | null;
  heartbeatMs: number;
}

/** As much of an HTTP/2 session as a drain needs. */
interface Http2Session {
  close(): void;
  once(event: 'close', listener: () => void): void;
}

/** Distinct users beyond this many are not told apart any more: the set must not become the leak that it is there to find. */
const MAX_TRACKED_USERS = 100_000;

const encoded = process.env.SUPERVISOR_SOCKET;
// Children that the program forks inherit its arguments, this preload included; the settings are for this process alone.
delete process.env.SUPERVISOR_SOCKET;
if (encoded !== undefined && process.send) install(JSON.parse(encoded) as Settings);

function install(settings: Settings): void {
  const channel = process.channel;
  const post = process.send?.bind(process) as (message: FromWorker) => void;
  const send = (message: FromWorker) => {
    if (process.connected) post(message);
  };
  const users = new Set<string>();
  const servers = new Set<net.Server>();
  const sessions = new Set<Http2Session>();
  let requests = 0;
  let draining = false;
  let mapped = false;
  let statsSent = false;

  const originalListen = net.Server.prototype.listen;
  const originalClose = net.Server.prototype.close;

  net.Server.prototype.listen = function listen(this: net.Server, ...args: unknown[]): net.Server {
    const wanted = portAndHost(args);
    this.once('listening', () => {
      send({ type: 'listening', address: wanted?.host ?? null, port: wanted?.port ?? null, mapped: servers.has(this) });
    });
    // A second server on the same port is the program's own affair: one descriptor can carry one handle.
    if (wanted?.port !== settings.port || mapped) return Reflect.apply(originalListen, this, args) as net.Server;
    mapped = true;
    servers.add(this);
    this.on('session', (session: Http2Session) => {
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
      if (draining) setImmediate(() => session.close());
    });
    const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    return originalListen.call(this, { fd: settings.fd }, callback);
  } as typeof net.Server.prototype.listen;

  interface Traced {
    request: http.IncomingMessage;
    response: http.ServerResponse;
    socket: net.Socket;
  }
  // The latest response on each open connection. What is in flight is counted when somebody asks, once a second: a counter
  // would need the end of every response too, and that costs a busy server more than all the rest of this.
  const latest = new Map<net.Socket, http.ServerResponse>();
  const inFlight = () => {
    let count = 0;
    for (const response of latest.values()) if (!response.writableFinished) count++;
    return count;
  };

  diagnostics.subscribe('http.server.request.start', (message) => {
    const { request, response, socket } = message as Traced;
    if (draining) response.shouldKeepAlive = false;
    requests++;
    if (!latest.has(socket)) socket.once('close', () => latest.delete(socket));
    latest.set(socket, response);
    if (settings.userHeader !== null) {
      const user = request.headers[settings.userHeader];
      if (user !== undefined && users.size < MAX_TRACKED_USERS) users.add(String(user));
    }
    if (!statsSent && (reached(requests, settings.maxRequests) || reached(users.size, settings.maxUsers))) {
      statsSent = true;
      send({ type: 'stats', requests, users: users.size, inFlight: inFlight() });
    }
  });

  new vital.VitalSigns().beat(settings.heartbeatMs, (vitals) => {
    send({ type: 'heartbeat', requests, users: users.size, inFlight: inFlight(), vitals });
  });
  const cleaner = new cleaning.Cleaner();

  function drain(last: boolean): void {
    if (draining) return;
    draining = true;
    // Nobody takes the queue over: what the kernel has queued would be reset with the socket.
    if (last) emptyQueue(closeServers);
    else closeServers();
  }

  /** libuv accepts one connection a turn of the loop, so the queue is empty after a turn without any. More than the backlog cannot have been waiting. */
  function emptyQueue(done: () => void): void {
    let accepted = 0;
    let before = -1;
    const count = () => {
      accepted++;
    };
    for (const server of servers) server.on('connection', count);
    const look = () => {
      if (accepted === before || accepted >= settings.backlog) {
        for (const server of servers) server.off('connection', count);
        return done();
      }
      before = accepted;
      setImmediate(look);
    };
    setImmediate(look);
  }

  function closeServers(): void {
    let left = servers.size;
    const closed = () => {
      left--;
      if (left <= 0) send({ type: 'drained' });
    };
    if (left === 0) closed();
    for (const server of servers) {
      // net's close, not http's: that one also cuts idle keep-alive sockets, on which a client may be sending right now.
      if (server.listening) originalClose.call(server, closed);
      else closed();
    }
    // HTTP/2 sessions have no `Connection: close`; a session that is asked to close finishes its streams first.
    for (const session of sessions) session.close();
  }

  function clean({ id, level }: CleanupMessage): void {
    cleaner.clean(level).then(
      (outcome) => send({ type: 'cleaned', id, level, ...outcome }),
      // Nothing was measured; the master does not wait for ever.
      () => {},
    );
  }

  process.on('message', (message: ToWorker) => {
    if (message?.type === 'drain') drain(message.last);
    else if (message?.type === 'cleanup') clean(message);
  });
  // The master is gone: nobody restarts, routes or stops this worker any more.
  process.on('disconnect', () => process.exit(1));
  // The program decides how long it lives, not this channel.
  channel?.unref();
  send({ type: 'hello', pid: process.pid });
}

function reached(count: number, limit: number | null): boolean {
  return limit !== null && count >= limit;
}

/** What `listen(...)` asks for: `(port[, host])` or `({port, host})`; null for pipes, descriptors and handles. */
function portAndHost(args: unknown[]): { port: number; host: string | null } | null {
  const [first, second] = args;
  if (typeof first === 'object' && first !== null) {
    const { port, host, fd, path } = first as { port?: unknown; host?: unknown; fd?: unknown; path?: unknown };
    if (port === undefined || fd !== undefined || path !== undefined) return null;
    return { port: Number(port), host: typeof host === 'string' ? host : null };
  }
  if (first === undefined || first === null || typeof first === 'function') return { port: 0, host: null };
  const port = Number(first);
  if (!Number.isInteger(port)) return null;
  return { port, host: typeof second === 'string' ? second : null };
}
