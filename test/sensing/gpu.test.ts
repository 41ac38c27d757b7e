import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { findNvidiaSmi, Gpus } from '../../src/sensing/gpu.js';
import type { GpuSample } from '../../src/sensing/snapshot.js';
import { FakeMachine, MIB } from './fake-machine.js';

const WAIT = { timeout: 10_000, interval: 20 };
const open: Gpus[] = [];

afterEach(() => {
  for (const gpus of open.splice(0)) gpus.close();
});

/** @param script of a fake nvidia-smi; `$RUNS` is a file with one letter for each run */
function gpusOf(script: string, timeoutMs?: number) {
  const machine = new FakeMachine({ runs: '' });
  const runsFile = path.join(machine.dir, 'runs');
  const command = machine.program('nvidia-smi', `RUNS=${runsFile}; printf x >>$RUNS\n${script}`);
  const clock = new ManualClock();
  const gpus = new Gpus(command, clock, timeoutMs);
  open.push(gpus);
  const read = (): readonly GpuSample[] | null | string => {
    try {
      return gpus.read();
    } catch (error) {
      return (error as Error).message;
    }
  };
  return { gpus, clock, read, runs: () => readFileSync(runsFile, 'utf8').length };
}

describe('Gpus', () => {
  it('are null without nvidia-smi', () => {
    expect(new Gpus(null, new ManualClock()).read()).toBeNull();
  });

  it('are what nvidia-smi said last, and null before', async () => {
    const { read } = gpusOf(
      `[ "$#" = 2 ] && echo 'NVIDIA A10G, 23028, 512, 37' && echo 'Tesla, the 2nd, 100, 0, [N/A]' && echo 'T4, 1, 1, 101'`,
    );
    expect(read()).toBeNull();
    await vi.waitFor(() => expect(read()).not.toBeNull(), WAIT);
    expect(read()).toEqual([
      { name: 'NVIDIA A10G', totalBytes: 23028 * MIB, usedBytes: 512 * MIB, share: 0.37 },
      { name: 'Tesla, the 2nd', totalBytes: 100 * MIB, usedBytes: 0, share: null },
      { name: 'T4', totalBytes: MIB, usedBytes: MIB, share: null },
    ]);
  });

  it('tell which processes use their memory, over all cards', async () => {
    const { gpus } = gpusOf(`case "$1" in *compute-apps*) echo '42, 100'; echo '7, [N/A]'; echo '42, 28';; esac`);
    expect(gpus.processes()).toBeNull();
    await vi.waitFor(() => expect(gpus.processes()).not.toBeNull(), WAIT);
    expect(gpus.processes()).toEqual(new Map([[42, 128 * MIB]]));
  });

  it('are used by nobody where nvidia-smi names none, and an answer that is not understood is an error', async () => {
    const nobody = gpusOf('true').gpus;
    nobody.processes();
    await vi.waitFor(() => expect(nobody.processes()).toEqual(new Map()), WAIT);
    const strange = gpusOf('echo "No devices were found"').gpus;
    strange.processes();
    await vi.waitFor(() => expect(() => strange.processes()).toThrow(/not understood/), WAIT);
  });

  it('are asked about every 5 s at most', async () => {
    const { read, clock, runs } = gpusOf(`echo "GPU, 1, 1, $(wc -c <$RUNS)"`);
    read();
    await vi.waitFor(() => expect(read()).toMatchObject([{ share: 0.01 }]), WAIT);
    clock.advance(4900);
    read();
    clock.advance(100);
    read();
    await vi.waitFor(() => expect(read()).toMatchObject([{ share: 0.02 }]), WAIT);
    expect(runs()).toBe(2);
  });

  it.each([
    ['an exit code', `echo 'NVIDIA-SMI has failed because it could not reach the driver.'; exit 9`, 'reach the driver'],
    ['an answer that is none', `echo 'N/A, x'`, 'not understood'],
    ['no GPU', 'exit 0', 'names no GPU'],
    ['binary', `head -c 100 /dev/zero; echo`, 'not understood'],
  ])('are an error after %s, which is tried again a minute later', async (_what, script, reason) => {
    const { read, clock, runs } = gpusOf(script);
    expect(read()).toBeNull();
    await vi.waitFor(() => expect(read()).toContain(reason), WAIT);
    clock.advance(59_000);
    expect(read()).toContain(reason);
    expect(runs()).toBe(1);
    clock.advance(1000);
    expect(read()).toContain(reason);
    await vi.waitFor(() => expect(runs()).toBe(2), WAIT);
  });

  it('are an error where it does not end in time', async () => {
    const { read } = gpusOf('exec sleep 1000', 200);
    expect(read()).toBeNull();
    await vi.waitFor(() => expect(read()).toContain('in time'), WAIT);
  });

  it('are an error while nothing comes back at all, and one question at a time is enough', async () => {
    const { read, clock, runs } = gpusOf('exec sleep 1000', 100_000);
    read();
    await vi.waitFor(() => expect(runs()).toBe(1), WAIT);
    clock.advance(16_000);
    expect(read()).toContain('has not answered for 16 s');
    clock.advance(100_000);
    expect(read()).toContain('has not answered');
    expect(runs()).toBe(1);
  });

  it('are not shown from an answer that is old', async () => {
    const { read, clock } = gpusOf(`echo 'GPU, 1, 1, 1'`);
    read();
    await vi.waitFor(() => expect(read()).toHaveLength(1), WAIT);
    clock.advance(600_000);
    expect(read()).toBeNull();
    await vi.waitFor(() => expect(read()).toHaveLength(1), WAIT);
  });
});

describe('findNvidiaSmi', () => {
  it('finds the first on the PATH that may be run, and none in the current folder', () => {
    const machine = new FakeMachine({ 'plain/nvidia-smi': '' });
    const file = machine.program('bin/nvidia-smi', '');
    const dir = (name: string) => path.join(machine.dir, name);
    expect(findNvidiaSmi([dir('missing'), dir('plain'), dir('bin')].join(':'))).toBe(file);
    expect(findNvidiaSmi(dir('plain'))).toBeNull();
    expect(findNvidiaSmi(path.relative(process.cwd(), dir('bin')))).toBeNull();
    expect(findNvidiaSmi('')).toBeNull();
  });
});
