import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { portOwner } from '../../src/http/port-owner.js';

describe('portOwner', () => {
  it.each(['127.0.0.1', '::'])('finds this process listening on %s', async (host) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    expect(portOwner(port)).toMatchObject({ pid: process.pid, command: expect.stringMatching(/node/) });
    await new Promise((resolve) => server.close(resolve));
    expect(portOwner(port)).toBeNull();
  });

  it('reads listening sockets only, and cleans the command', () => {
    const proc = mkdtempSync(join(tmpdir(), 'proc-'));
    try {
      mkdirSync(join(proc, 'net'));
      mkdirSync(join(proc, '42/fd'), { recursive: true });
      const line = (state: string, inode: number) =>
        `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1\n`;
      symlinkSync('socket:[777]', join(proc, '42/fd/3'));
      writeFileSync(join(proc, '42/cmdline'), `node\0\x1b[31mserver.js\0${'a'.repeat(500)}\0`);
      writeFileSync(join(proc, 'net/tcp'), `header\n${line('01', 777)}`);
      expect(portOwner(8080, proc)).toBeNull();
      writeFileSync(join(proc, 'net/tcp'), `header\n${line('0A', 777)}`);
      const owner = portOwner(8080, proc);
      expect(owner?.pid).toBe(42);
      expect(owner?.command).toMatch(/^node {2}\[31mserver\.js a+…$/);
      expect(portOwner(8081, proc)).toBeNull();
    } finally {
      rmSync(proc, { recursive: true });
    }
  });
});
