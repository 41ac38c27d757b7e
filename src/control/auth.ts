/** The control token: its file, and the check of a request's `Authorization: Bearer …`. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { SupError } from '../errors.js';
import type { Gate } from '../http/host-guard.js';

const MAX_FAILURES = 10;
const FAILURE_WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;
const TOKEN_BYTES = 32;
const MIN_TOKEN_CHARS = 16;

/** Refuses requests without the token: 401, and 429 from the tenth wrong one within a minute from the same address. */
export function tokenGate(token: () => string, clock: Clock = systemClock): Gate {
  const failures = new FailureLog(clock);
  let current = '';
  let expected = digest('');
  return (request) => {
    const given = bearer(request.headers.authorization);
    if (given === null) return new SupError('SUP_UNAUTHORIZED', 'this needs the header Authorization: Bearer TOKEN');
    const wanted = token();
    if (wanted !== current) {
      current = wanted;
      expected = digest(wanted);
    }
    // An empty token would make everyone's empty one right.
    if (wanted !== '' && timingSafeEqual(digest(given), expected)) return null;
    const waitMs = failures.add(request.socket.remoteAddress ?? '');
    if (waitMs === null) return new SupError('SUP_UNAUTHORIZED', 'the token is wrong');
    return new SupError('SUP_TOO_MANY_FAILURES', 'too many wrong tokens from this address', {
      retry_after_seconds: Math.ceil(waitMs / 1000),
    });
  };
}

function bearer(header: string | undefined): string | null {
  return /^bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? null;
}

/** Both sides are hashed: timingSafeEqual wants equal lengths, and the length of the token is a secret too. */
function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Times of the last wrong tokens of each address; the address that failed longest ago is forgotten first. */
class FailureLog {
  readonly #times = new Map<string, number[]>();

  constructor(private readonly clock: Clock) {}

  /** ms until this address has fewer than MAX_FAILURES again, null if it has now. */
  add(address: string): number | null {
    const now = this.clock.now();
    const times = (this.#times.get(address) ?? []).filter((time) => time > now - FAILURE_WINDOW_MS);
    times.push(now);
    if (times.length > MAX_FAILURES) times.shift();
    this.#times.delete(address);
    this.#times.set(address, times);
    if (this.#times.size > MAX_ADDRESSES) this.#times.delete(this.#times.keys().next().value as string);
    return times.length < MAX_FAILURES ? null : (times[0] as number) + FAILURE_WINDOW_MS - now;
  }
}

export interface LoadedToken {
  token: string;
  warnings: string[];
}

/**
 * Reads the file `token` in the state folder; makes it first where there is none.
 * @throws SupError SUP_MASTER_START_FAILED where the file holds no usable token
 */
export function loadOrCreateToken(home: string): LoadedToken {
  const file = join(home, 'token');
  createIfMissing(file);
  const warnings: string[] = [];
  const fd = openSync(file, 'r');
  try {
    const mode = fstatSync(fd).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      fchmodSync(fd, 0o600);
      warnings.push(
        `${file} was open to other users (mode ${mode.toString(8)}) and is 600 now; delete it for a new token`,
      );
    }
    const token = readFileSync(fd, 'utf8').trim();
    if (token.length < MIN_TOKEN_CHARS || /\s/.test(token))
      throw new SupError('SUP_MASTER_START_FAILED', `${file} holds no usable token; delete it and one is made`, {
        file,
      });
    return { token, warnings };
  } finally {
    closeSync(fd);
  }
}

/** Written aside and then linked to its name, which fails if it exists: nobody ever reads a half-written token. */
function createIfMissing(file: string): void {
  if (existsSync(file)) return;
  const aside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(aside, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
