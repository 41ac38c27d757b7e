import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { drainBody } from '../../src/http/json-body.js';

const MIB = 1024 * 1024;
const bodyOf = (chunks: number): IncomingMessage => {
  const chunk = Buffer.alloc(MIB);
  return Readable.from(Array(chunks).fill(chunk)) as unknown as IncomingMessage;
};

describe('drainBody', () => {
  afterEach(() => vi.useRealTimers());

  it('reads up to 64 MiB, and gives up on more', async () => {
    expect(await drainBody(bodyOf(64))).toBe(true);
    const body = bodyOf(65);
    expect(await drainBody(body)).toBe(false);
    expect(body.isPaused()).toBe(true);
  });

  it('gives up on a body that does not end within 10 s', async () => {
    vi.useFakeTimers();
    const endless = new Readable({ read: () => undefined }) as IncomingMessage;
    let whole: boolean | null = null;
    void drainBody(endless).then((result) => {
      whole = result;
    });
    await vi.advanceTimersByTimeAsync(9_999);
    expect(whole).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(whole).toBe(false);
    endless.destroy();
  });

  it('is done at once with a client that has gone', async () => {
    const gone = bodyOf(1);
    gone.destroy();
    expect(await drainBody(gone)).toBe(true);
  });
});
