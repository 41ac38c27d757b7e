import { type ChildProcess, execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import type { GpuSample } from './snapshot.js';
import { count } from './text-files.js';

const FORMAT = '--format=csv,noheader,nounits';
const CARDS = ['--query-gpu=name,memory.total,memory.used,utilization.gpu', FORMAT];
const PROCESSES = ['--query-compute-apps=pid,used_gpu_memory', FORMAT];
const MIB = 1024 ** 2;
const EVERY_MS = 5000;
/** One that just failed, most likely for a driver that is broken, fails again. */
const RETRY_MS = 60_000;
const TIMEOUT_MS = 4000;
/** A child that hangs in its driver can't even be killed: then no answer is the answer. */
const STALE_MS = 15_000;

/** What nvidia-smi says, of the cards and of the processes that use their memory. */
export class Gpus {
  readonly #cards: Question<readonly GpuSample[]>;
  readonly #processes: Question<ReadonlyMap<number, number>>;

  /** @param command null: there is none */
  constructor(command: string | null, clock: Clock, timeoutMs = TIMEOUT_MS) {
    this.#cards = new Question(command, CARDS, parseCards, clock, timeoutMs);
    this.#processes = new Question(command, PROCESSES, parseProcesses, clock, timeoutMs);
  }

  /** Null without GPUs, and before the first answer. @throws Error where nvidia-smi failed */
  read(): readonly GpuSample[] | null {
    return this.#cards.read();
  }

  /** Bytes of GPU memory by pid; null without GPUs, and before the first answer. @throws Error where nvidia-smi failed */
  processes(): ReadonlyMap<number, number> | null {
    return this.#processes.read();
  }

  close(): void {
    this.#cards.close();
    this.#processes.close();
  }
}

/** One query of nvidia-smi's. It takes long, so it runs in the background, and what it said last counts. */
class Question<T> {
  #child: ChildProcess | null = null;
  #startedAt = Number.NEGATIVE_INFINITY;
  #answer: { at: number; value: T | Error } | null = null;

  constructor(
    private readonly command: string | null,
    private readonly query: readonly string[],
    private readonly parse: (stdout: string) => T | Error,
    private readonly clock: Clock,
    private readonly timeoutMs: number,
  ) {}

  read(): T | null {
    if (this.command === null) return null;
    const now = this.clock.now();
    const failed = this.#answer?.value instanceof Error;
    if (this.#child === null && now - this.#startedAt >= (failed ? RETRY_MS : EVERY_MS)) this.#ask(this.command, now);
    if (this.#child !== null && now - this.#startedAt > STALE_MS)
      throw new Error(`${this.command} has not answered for ${Math.round((now - this.#startedAt) / 1000)} s`);
    if (this.#answer?.value instanceof Error) throw this.#answer.value;
    return this.#answer === null || now - this.#answer.at > STALE_MS ? null : this.#answer.value;
  }

  close(): void {
    const child = this.#child;
    child?.kill('SIGKILL');
    // One that can't be killed would keep the program alive by its pipes.
    child?.stdout?.destroy();
    child?.stderr?.destroy();
  }

  #ask(command: string, now: number): void {
    this.#startedAt = now;
    const options = { timeout: this.timeoutMs, killSignal: 'SIGKILL' } as const;
    const child = execFile(command, this.query, options, (error, stdout) => {
      this.#child = null;
      this.#answer = { at: this.clock.now(), value: error ? reasonOf(error, stdout) : this.parse(stdout) };
    });
    this.#child = child;
    child.unref();
  }
}

/** The first nvidia-smi on the PATH; not one that happens to lie in the current folder. */
export function findNvidiaSmi(searchPath = process.env.PATH ?? ''): string | null {
  for (const dir of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(dir)) continue;
    const file = path.join(dir, 'nvidia-smi');
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** nvidia-smi tells on stdout what is wrong. */
function reasonOf(error: Error & { killed?: boolean }, stdout: string): Error {
  if (error.killed) return new Error('nvidia-smi did not end in time');
  const said = stdout.trim().split('\n')[0];
  return new Error(said ? `nvidia-smi: ${said}` : messageOf(error));
}

/** Lines such as `NVIDIA A10G, 23028, 512, 37`; sizes in MiB, the share in percent or `[N/A]`. */
function parseCards(stdout: string): readonly GpuSample[] | Error {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  const samples: GpuSample[] = [];
  for (const line of lines) {
    const [, name, total, used, share] = /^(.*\S)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*([^,]+?)\s*$/.exec(line) ?? [];
    const [totalMib, usedMib, percent] = [count(total), count(used), count(share)];
    if (name === undefined || totalMib === null || usedMib === null)
      return new Error(`nvidia-smi's answer is not understood: ${JSON.stringify(line.slice(0, 80))}`);
    samples.push({
      name,
      totalBytes: totalMib * MIB,
      usedBytes: usedMib * MIB,
      share: percent === null || percent > 100 ? null : percent / 100,
    });
  }
  return samples.length > 0 ? samples : new Error('nvidia-smi names no GPU');
}

/** Lines such as `4242, 1830`, one for each process and card; a size that the driver keeps to itself is `[N/A]`. */
function parseProcesses(stdout: string): ReadonlyMap<number, number> | Error {
  const bytes = new Map<number, number>();
  for (const line of stdout.split('\n').filter((each) => each.trim() !== '')) {
    const [, pid, mib] = /^\s*(\d+)\s*,\s*([^,]+?)\s*$/.exec(line) ?? [];
    const [owner, used] = [count(pid), count(mib)];
    if (owner === null || mib === undefined)
      return new Error(`nvidia-smi's answer is not understood: ${JSON.stringify(line.slice(0, 80))}`);
    if (used !== null) bytes.set(owner, (bytes.get(owner) ?? 0) + used * MIB);
  }
  return bytes;
}
