import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { loadOrCreateToken, tokenGate } from '../../src/control/auth.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'token-'));
});
afterEach(() => rmSync(home, { recursive: true }));

describe('the token file', () => {
  it('is made once, private and alone', () => {
    const { token, warnings } = loadOrCreateToken(home);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(warnings).toEqual([]);
    expect(statSync(join(home, 'token')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(home, 'token'), 'utf8')).toBe(`${token}\n`);
    expect(loadOrCreateToken(home).token).toBe(token);
    expect(readdirSync(home)).toEqual(['token']);
  });

  it('is tightened with a warning where others could read it', () => {
    const { token } = loadOrCreateToken(home);
    chmodSync(join(home, 'token'), 0o644);
    const again = loadOrCreateToken(home);
    expect(again.token).toBe(token);
    expect(again.warnings).toEqual([expect.stringMatching(/mode 644/)]);
    expect(statSync(join(home, 'token')).mode & 0o777).toBe(0o600);
  });

  it.each(['', '\n', 'short', 'two words that are long enough'])('is refused when it holds %j', (content) => {
    writeFileSync(join(home, 'token'), content, { mode: 0o600 });
    expect(() => loadOrCreateToken(home)).toThrow(/no usable token/);
  });
});

describe('throttling', () => {
  const ask = (token: string | null, remoteAddress = '10.0.0.1') =>
    ({
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      socket: { remoteAddress },
    }) as IncomingMessage;

  it('counts wrong tokens of one address within a minute', () => {
    const clock = new ManualClock();
    const gate = tokenGate(() => 'right', clock);
    const status = (token: string | null, address?: string) => gate(ask(token, address))?.status ?? 200;
    for (let i = 0; i < 9; i++) {
      expect(status('wrong')).toBe(401);
      clock.advance(1000);
    }
    expect(status('wrong')).toBe(429);
    expect(status('wrong', '10.0.0.2')).toBe(401);
    expect(status(null)).toBe(401);
    expect(status('right')).toBe(200);
    expect(gate(ask('wrong'))?.data.retry_after_seconds).toBe(52); // the second failure, at 1 s, still counts until 61 s
    clock.advance(60_000);
    expect(status('wrong')).toBe(401);
  });

  it('follows a changed token and lets nobody in with an empty one', () => {
    let token = 'old';
    const gate = tokenGate(() => token);
    expect(gate(ask('old'))).toBeNull();
    token = 'new';
    expect(gate(ask('old'))?.status).toBe(401);
    expect(gate(ask('new'))).toBeNull();
    token = '';
    expect(gate(ask(''))?.status).toBe(401);
    expect(gate(ask('new'))?.status).toBe(401);
  });

  it('remembers a bounded number of addresses', () => {
    const gate = tokenGate(() => 'right', new ManualClock());
    for (let i = 0; i < 10; i++) gate(ask('wrong', 'first'));
    expect(gate(ask('wrong', 'first'))?.status).toBe(429);
    for (let i = 0; i < 10_000; i++) gate(ask('wrong', `10.${i}`));
    expect(gate(ask('wrong', 'first'))?.status).toBe(401);
  });
});
