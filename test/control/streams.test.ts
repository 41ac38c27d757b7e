import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenControlSocket } from '../../src/control/server.js';
import type { ListeningServer } from '../../src/http/listen.js';
import type { LogLine, Supervisor } from '../../src/master/supervisor.js';
import { call, openEvents, type SentEvent } from '../http/client.js';
import { type FakeSupervisor, fakeSupervisor, logLine } from '../http/fake-supervisor.js';

let home: string;
let supervisor: FakeSupervisor;
let server: ListeningServer | null = null;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sse-'));
});
afterEach(async () => {
  await server?.close();
  server = null;
  rmSync(home, { recursive: true });
});

async function open(parts: Partial<Supervisor> = {}): Promise<string> {
  supervisor = fakeSupervisor(parts);
  const socketPath = join(home, 's.sock');
  server = await listenControlSocket({ supervisor, socketPath, tcp: null, token: () => '' });
  return server.address;
}

const tell = (line: LogLine): void => {
  for (const follower of supervisor.followers) follower(line);
};

describe('logs', () => {
  it('gives the last lines as JSON', async () => {
    const at = await open();
    const path = '/api/apps/web%2F1/logs?lines=7&since=2026-01-01T00:00:00Z';
    expect((await call({ at, path })).json.lines.map((line: LogLine) => line.line)).toEqual(['first', 'second']);
    expect(supervisor.calls).toEqual(['logs web/1 {"lines":7,"since":"2026-01-01T00:00:00.000Z"}']);
    for (const query of ['lines=-1', 'lines=x', 'since=yesterday', 'follow=maybe', 'line=3'])
      expect((await call({ at, path: `/api/apps/web/logs?${query}` })).status).toBe(400);
  });

  it('streams the last lines, then new ones, until the client leaves', async () => {
    const at = await open();
    const events = await openEvents({ at, path: '/api/apps/web/logs?follow=true' });
    expect(events.response.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(await events.next()).toMatchObject({ event: 'line', data: logLine('first') });
    expect(await events.next()).toMatchObject({ event: 'line', data: { line: 'second' } });
    tell(logLine('a\nb'));
    expect(await events.next()).toMatchObject({ event: 'line', data: { line: 'a\nb' } });
    events.response.destroy();
    await vi.waitFor(() => expect(supervisor.followers.size).toBe(0));
  });

  it('neither loses nor repeats a line that comes while the tail is read', async () => {
    const at = await open({
      logs: async () => {
        tell(logLine('in both'));
        const tail = [logLine('old'), logLine('in both')];
        tell(logLine('after the tail'));
        return tail;
      },
    });
    const events = await openEvents({ at, path: '/api/apps/web/logs?follow=1' });
    const lines: string[] = [];
    for (let i = 0; i < 3; i++) lines.push((await events.next())?.data.line);
    tell(logLine('live'));
    lines.push((await events.next())?.data.line);
    expect(lines).toEqual(['old', 'in both', 'after the tail', 'live']);
    events.response.destroy();
  });

  it('answers an unknown target with 404 and follows nothing', async () => {
    const at = await open({ logs: () => Promise.reject(new Error('no')) });
    expect((await call({ at, path: '/api/apps/nosuch/logs?follow=true' })).status).toBe(404);
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect((await call({ at, path: '/api/apps/web/logs?follow=true' })).status).toBe(500);
    expect(stderr).toHaveBeenCalled();
    stderr.mockRestore();
    expect(supervisor.followers.size).toBe(0);
  });

  it('drops lines of a client that does not read, bounded, and tells it how many', async () => {
    const at = await open({ logs: async () => [] });
    const events = await openEvents({ at, path: '/api/apps/web/logs?follow=true' });
    await vi.waitFor(() => expect(supervisor.followers.size).toBe(1));
    const before = process.memoryUsage().rss;
    const text = 'x'.repeat(10_000);
    const sent = 20_000; // 200 MB
    for (let i = 0; i < sent; i++) tell(logLine(text));
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    let lines = 0;
    let event: SentEvent | null = null;
    do {
      event = await events.next();
      if (event?.event === 'line') lines += 1;
    } while (event?.event === 'line');
    expect(event).toMatchObject({ event: 'skipped', data: { count: sent - lines } });
    expect(lines).toBeGreaterThan(50);
    events.response.destroy();
  });

  it('sends a long tail whole, at the pace of the client', async () => {
    const tail = Array.from({ length: 500 }, (_, i) => logLine(`${i} ${'x'.repeat(10_000)}`));
    const at = await open({ logs: async () => tail });
    const events = await openEvents({ at, path: '/api/apps/web/logs?follow=true' });
    for (const line of tail) expect(await events.next()).toEqual({ event: 'line', data: line });
    tell(logLine('live'));
    expect(await events.next()).toMatchObject({ data: { line: 'live' } });
    events.response.destroy();
  });
});

describe('events', () => {
  it('are named by their type', async () => {
    const at = await open();
    const events = await openEvents({ at, path: '/api/events' });
    const event = { type: 'app', app: 'web', state: 'online', time: 'now' } as const;
    for (const listener of supervisor.listeners) listener(event);
    expect(await events.next()).toEqual({ event: 'app', data: event });
    events.response.destroy();
    await vi.waitFor(() => expect(supervisor.listeners.size).toBe(0));
  });

  it('end when the server closes, well within its bound', async () => {
    const at = await open();
    const streams = [
      await openEvents({ at, path: '/api/events' }),
      await openEvents({ at, path: '/api/apps/web/logs?follow=true&lines=0' }),
    ];
    const began = performance.now();
    await server?.close();
    expect(performance.now() - began).toBeLessThan(1500);
    for (const stream of streams) while ((await stream.next()) !== null);
    expect(supervisor.listeners.size + supervisor.followers.size).toBe(0);
  });
});
