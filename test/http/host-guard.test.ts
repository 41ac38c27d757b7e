import type { IncomingMessage } from 'node:http';
import { createConnection } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type HostRules, hostGuard, isLoopback } from '../../src/http/host-guard.js';
import { listenInference } from '../../src/inference/server.js';
import { call, target } from './client.js';
import { fakeSupervisor } from './fake-supervisor.js';

const passes = (rules: HostRules, host: string | undefined, origin?: string): boolean =>
  hostGuard(rules)({ headers: { host, origin } } as IncomingMessage) === null;
const local = { host: '127.0.0.1', allowedHosts: ['models.example.com'] };
const wide = { host: '0.0.0.0', allowedHosts: [] };

describe('Host', () => {
  it.each([
    'localhost',
    'LOCALHOST:9700',
    '127.0.0.1:9700',
    '127.1.2.3',
    '[::1]:9700',
    '[::1]',
    'models.example.com:443',
  ])('passes %s', (host) => expect(passes(local, host)).toBe(true));
  it.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    'x.localhost',
    '127.0.0.1.evil.example',
    '127.evil.example',
    '10.0.0.1',
    '[::2]',
    'localhost:9700:1',
    'user@localhost',
    'localhost/x',
    ' localhost',
    'sub.models.example.com',
  ])('refuses %s', (host) => expect(passes(local, host)).toBe(false));
  it('passes any address, but no name, off loopback', () => {
    expect(passes(wide, '10.0.0.1:8000')).toBe(true);
    expect(passes(wide, '[fe80::1]:8000')).toBe(true);
    expect(passes(wide, 'evil.example')).toBe(false);
  });
  it('forgets no verdict: a good Host does not let a bad one in', () => {
    const guard = hostGuard(local);
    const ask = (host: string) => guard({ headers: { host } } as IncomingMessage);
    expect(ask('localhost')).toBeNull();
    expect(ask('evil.example')).not.toBeNull();
    expect(ask('evil.example')).not.toBeNull();
    expect(ask('localhost')).toBeNull();
  });
});

describe('Origin', () => {
  it.each(['http://localhost:3000', 'https://127.0.0.1', 'http://[::1]:1', 'https://models.example.com'])(
    'passes %s',
    (origin) => expect(passes(local, 'localhost', origin)).toBe(true),
  );
  it.each([
    'null',
    '',
    'http://evil.example',
    'file://',
    'http://localhost.evil.example',
    'http://localhost@evil.example',
    'http://localhost/x',
  ])('refuses %s', (origin) => expect(passes(local, 'localhost', origin)).toBe(false));
});

it('knows loopback names', () => {
  expect(['127.0.0.1', 'localhost', '::1', '[::1]', '127.9.9.9'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.example'].some(isLoopback)).toBe(false);
});

describe('a listening server', () => {
  it('refuses a foreign Host and Origin on every method and path, and a request without Host', async () => {
    const server = await listenInference({
      supervisor: fakeSupervisor(),
      ...{ host: '127.0.0.1', port: 0, auth: 'none', token: () => '', maxBodyBytes: 1000, allowedHosts: [] },
    });
    try {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
        for (const path of ['/predict', '/health', '/nosuch', '/%zz', '*'])
          for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }, { origin: 'null' }]) {
            const { status } = await call({ at: server.address, method, path, headers });
            expect([method, path, status]).toEqual([method, path, 403]);
          }
      expect(await rawStatus(server.address, 'GET /health HTTP/1.0\r\n\r\n')).toMatch(/ 403 /);
      expect(await rawStatus(server.address, 'GET /health HTTP/1.1\r\n\r\n')).toMatch(/ 400 /);
      expect(await rawStatus(server.address, 'this is not http\r\n\r\n')).toMatch(/ 400 /);
    } finally {
      await server.close();
    }
  });
});

function rawStatus(address: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { host, port } = target(address);
    const socket = createConnection({ host: host as string, port: Number(port) }, () => socket.write(text));
    socket.once('error', reject);
    socket.once('data', (data) => {
      resolve(data.toString().split('\r\n')[0] ?? '');
      socket.destroy();
    });
  });
}
