/** A made-up /proc and /sys/fs/cgroup in a temporary folder. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach } from 'vitest';

export const PAGE = 4096;
export const MIB = 1024 ** 2;

export interface FakeProcess {
  ppid?: number;
  pgrp?: number;
  /** Pages. */
  resident: number;
  shared?: number;
  ticks?: number;
  startTicks?: number;
  threads?: number;
  vmsBytes?: number;
  name?: string;
  /** KiB; left out: smaps_rollup is not there. */
  pss?: number;
  uss?: number;
  /** Left out: fd is not there. */
  files?: number;
}

const machines: FakeMachine[] = [];

afterEach(() => {
  for (const machine of machines.splice(0)) machine.remove();
});

export class FakeMachine {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), 'msv-machine-'));
  readonly proc = path.join(this.dir, 'proc');
  readonly cgroup = path.join(this.dir, 'cgroup');
  readonly cgroupRoots = { cgroup: this.cgroup, self: path.join(this.proc, 'self/cgroup') };

  constructor(files: Readonly<Record<string, string>> = {}) {
    machines.push(this);
    mkdirSync(this.proc);
    mkdirSync(this.cgroup);
    this.write(files);
  }

  /** Paths below the folder: `proc/stat`, `cgroup/memory/memory.stat`. */
  write(files: Readonly<Record<string, string | Buffer>>): void {
    for (const [file, text] of Object.entries(files)) {
      const full = path.join(this.dir, file);
      mkdirSync(path.dirname(full), { recursive: true });
      writeFileSync(full, text);
    }
  }

  /** An executable script. */
  program(name: string, text: string): string {
    this.write({ [name]: `#!/bin/sh\n${text}\n` });
    const file = path.join(this.dir, name);
    chmodSync(file, 0o755);
    return file;
  }

  process(pid: number, p: FakeProcess): void {
    const dir = `proc/${pid}`;
    const fields: (string | number)[] = Array.from({ length: 50 }, () => 0);
    const set = (number: number, value: string | number) => {
      fields[number - 3] = value;
    };
    set(3, 'S');
    set(4, p.ppid ?? 1);
    set(5, p.pgrp ?? pid);
    set(14, p.ticks ?? 0);
    set(20, p.threads ?? 1);
    set(22, p.startTicks ?? 1000 + pid);
    set(23, p.vmsBytes ?? 10 * p.resident * PAGE);
    set(24, p.resident);
    this.write({
      [`${dir}/stat`]: `${pid} (${p.name ?? 'node'}) ${fields.join(' ')}`,
      [`${dir}/statm`]: `99999 ${p.resident} ${p.shared ?? 0} 1 0 1 0`,
    });
    this.end(pid, 'smaps_rollup');
    this.end(pid, 'fd');
    if (p.pss !== undefined)
      this.write({
        [`${dir}/smaps_rollup`]: `1000-2000 ---p 00000000 00:00 0 [rollup]\nRss:    9999 kB\nPss:     ${p.pss} kB\nPss_Dirty:  1 kB\nPrivate_Clean:     0 kB\nPrivate_Dirty:   ${p.uss ?? 0} kB\n`,
      });
    if (p.files !== undefined) mkdirSync(path.join(this.dir, dir, 'fd'), { recursive: true });
    for (let file = 0; file < (p.files ?? 0); file++) this.write({ [`${dir}/fd/${file}`]: '' });
  }

  /** Does something to a file, if it is there; null removes it. */
  damage(file: string, damaged: (text: string) => string | Buffer | null): void {
    const full = path.join(this.dir, file);
    if (!existsSync(full)) return;
    const result = damaged(readFileSync(full, 'latin1'));
    if (result === null) rmSync(full);
    else writeFileSync(full, result);
  }

  /** The process, or one of its files. */
  end(pid: number, file = ''): void {
    rmSync(path.join(this.proc, String(pid), file), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** What a machine without control groups has. CPU: jiffies of each core, busy and idle. */
export function machineFiles(
  o: { cpu?: readonly [busy: number, idle: number][]; receivedBytes?: number; sentBytes?: number } = {},
): Record<string, string> {
  const cores = o.cpu ?? [
    [100, 900],
    [100, 900],
  ];
  const line = (name: string, busy: number, idle: number) => `${name} ${busy} 0 0 ${idle} 0 0 0 0 0 0\n`;
  const sum = (i: 0 | 1) => cores.reduce((total, core) => total + core[i], 0);
  return {
    'proc/meminfo':
      'MemTotal:        4096000 kB\nMemFree:          500000 kB\nMemAvailable:    2048000 kB\nSwapCached:            7 kB\nSwapTotal:        100 kB\nSwapFree:          40 kB\n',
    'proc/stat': `${line('cpu ', sum(0), sum(1))}${cores.map(([busy, idle], i) => line(`cpu${i}`, busy, idle)).join('')}intr 1 2 3\nctxt 4\n`,
    'proc/loadavg': '0.50 1.25 2.00 1/93 4575\n',
    'proc/net/dev': `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     9193      29    0    0    0     0       0          0
  eth0:${o.receivedBytes ?? 1000}    5458    0    0    0     0          0         0   ${o.sentBytes ?? 500}    3933    0    0    0     0       0          0
`,
    'proc/pressure/memory':
      'some avg10=1.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=0\n',
    'proc/pressure/cpu':
      'some avg10=30.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    'proc/pressure/io':
      'some avg10=4.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    'proc/self/cgroup': '0::/\n',
  };
}

/** Files of one group, v2. */
export function groupV2(
  group: string,
  o: { max?: number | 'max'; current?: number; inactiveFile?: number; cpuMax?: string; usedUs?: number },
): Record<string, string> {
  const dir = path.posix.join('cgroup', group);
  return {
    [`${dir}/memory.max`]: `${o.max ?? 'max'}\n`,
    [`${dir}/memory.current`]: `${o.current ?? 0}\n`,
    [`${dir}/memory.stat`]: `anon 1\nfile 2\ninactive_file ${o.inactiveFile ?? 0}\nactive_file 3\n`,
    [`${dir}/cpu.max`]: `${o.cpuMax ?? 'max 100000'}\n`,
    [`${dir}/cpu.stat`]: `usage_usec ${o.usedUs ?? 0}\nuser_usec 0\nsystem_usec 0\n`,
  };
}

/** Files of one group, v1, in the folders of its three controllers. */
export function groupV1(
  group: string,
  o: { limit?: number | string; usage?: number; inactiveFile?: number; quotaUs?: number; usedNs?: number },
): Record<string, string> {
  const dir = (controller: string) => path.posix.join('cgroup', controller, group);
  return {
    [`${dir('memory')}/memory.limit_in_bytes`]: `${o.limit ?? '9223372036854771712'}\n`,
    [`${dir('memory')}/memory.usage_in_bytes`]: `${o.usage ?? 0}\n`,
    [`${dir('memory')}/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${o.inactiveFile ?? 0}\n`,
    [`${dir('cpu')}/cpu.cfs_quota_us`]: `${o.quotaUs ?? -1}\n`,
    [`${dir('cpu')}/cpu.cfs_period_us`]: '100000\n',
    [`${dir('cpuacct')}/cpuacct.usage`]: `${o.usedNs ?? 0}\n`,
  };
}
