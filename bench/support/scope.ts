/**
 * Everything that a bench starts is ended at its end: in the reverse order, also after an error or Ctrl-C. All processes carry
 * the name of one temp folder in their environment; what is left in the end is found by it, killed by pid, and reported.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/errors.js';
import { processesWith } from './procfs.js';

const END_DEADLINE_MS = 45_000;
const SWEEPS = 10;
const SWEEP_PAUSE_MS = 100;

export class Scope {
  /** For state folders, configurations and logs. Short: a unix socket's path has to fit in. */
  readonly dir = mkdtempSync(join(tmpdir(), 'sup-bench-'));
  readonly env: NodeJS.ProcessEnv = { ...process.env, SUPERVISOR_BENCH_DIR: this.dir };
  readonly #ends: { what: string; end: () => Promise<void> | void }[] = [];
  #closing: Promise<string[]> | null = null;

  /** `end` may be called for something that never came up, and has to bear it. */
  defer(what: string, end: () => Promise<void> | void): void {
    this.#ends.push({ what, end });
  }

  get closing(): boolean {
    return this.#closing !== null;
  }

  /** @returns what did not end by itself, in words */
  close(): Promise<string[]> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<string[]> {
    const problems: string[] = [];
    for (const { what, end } of this.#ends.reverse()) {
      const deadline = new AbortController();
      try {
        await Promise.race([
          end(),
          sleep(END_DEADLINE_MS, undefined, { signal: deadline.signal }).then(() => {
            throw new Error(`not ended after ${END_DEADLINE_MS / 1000} s`);
          }),
        ]);
      } catch (error) {
        problems.push(`${what}: ${messageOf(error)}`);
      } finally {
        deadline.abort();
      }
    }
    problems.push(...(await this.#sweep()));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
    return problems;
  }

  async #sweep(): Promise<string[]> {
    const killed = new Set<number>();
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const left = processesWith(this.dir);
      if (left.length === 0) break;
      // The first look only waits: what was told to end a moment ago may still be on its way.
      if (sweep > 2)
        for (const pid of left) {
          killed.add(pid);
          kill(pid);
        }
      await sleep(SWEEP_PAUSE_MS);
    }
    return killed.size === 0 ? [] : [`${killed.size} processes were left over and had to be killed: ${[...killed]}`];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in this moment.
  }
}
