/**
 * Which Host and Origin a TCP listener answers to. A web page that a user of this machine opens can send requests to
 * 127.0.0.1 (or, with DNS rebinding, to a name of its own that resolves there); its Host or Origin gives it away.
 */
import type { IncomingMessage } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import { SupError } from '../errors.js';

export interface HostRules {
  /** What the listener is bound to. */
  host: string;
  /** Further names, without port. */
  allowedHosts: readonly string[];
}

export type Gate = (request: IncomingMessage) => SupError | null;

export function isLoopback(host: string): boolean {
  const name = bare(host);
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

export function hostGuard(rules: HostRules): Gate {
  const names = new Set([rules.host, ...rules.allowedHosts].map(bare));
  // Off loopback, clients reach us by any of the machine's addresses. A rebinding page always sends a name.
  const anyIp = !isLoopback(rules.host);
  const passes = (name: string): boolean => isLoopback(name) || names.has(name) || (anyIp && isIP(name) !== 0);

  // Nearly all requests carry the same Host as the one before.
  let lastGood = '';
  return (request) => {
    const host = request.headers.host;
    if (host === undefined || host === '') return forbidden('the request has no Host header');
    if (host !== lastGood) {
      const name = hostName(host);
      if (name === null || !passes(name)) return forbidden(`Host '${shown(host)}' is not allowed here`);
      lastGood = host;
    }
    const origin = request.headers.origin;
    if (origin === undefined) return null;
    const from = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
    const name = from === undefined ? null : hostName(from);
    return name !== null && passes(name) ? null : forbidden(`Origin '${shown(origin)}' is not allowed here`);
  };
}

function forbidden(message: string): SupError {
  return new SupError('SUP_FORBIDDEN', `${message}; allowed_hosts names further ones`);
}

/** The name in `name[:port]`, `1.2.3.4[:port]` or `[::1][:port]`; null for anything else. */
function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  const name = match?.[1] ?? match?.[2];
  return name === undefined ? null : bare(name);
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

function shown(value: string): string {
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}
