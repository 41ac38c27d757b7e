import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { GroupRegistry } from '../worker/backends/child.js';

/**
 * A shell that reads process-group ids from a pipe and, when the pipe closes, kills the groups that are still on its list. The kernel
 * closes the pipe however the master dies, so blocked event loops and grandchildren go with a SIGKILLed master too.
 * The list is one string of ids between spaces; nothing but numbers is ever written to the pipe.
 * A child that was forked in the master's last moment is on no list; nor is one that has left its group. Both carry the mark of this
 * master in their environment. (The pipe closes only when the last fork has become its program: it holds a copy until then.)
 */
const SCRIPT = `trap '' TERM INT HUP QUIT USR1 USR2
list=' '
while read -r op id; do
  case $op in
    +) list="$list$id " ;;
    -) case $list in *" $id "*) list="\${list%% $id *} \${list#* $id }" ;; esac ;;
  esac
done
for p in $list; do kill -KILL -$p 2>/dev/null; done
for round in 1 2 3; do
  for file in $(grep -lsF "$1" /proc/[0-9]*/environ); do
    p=\${file#/proc/}
    kill -KILL \${p%/environ} 2>/dev/null
  done
done`;

const CLOSE_MS = 3000;

export class Guard implements GroupRegistry {
  readonly #shell: ChildProcess;
  readonly #groups = new Set<number>();
  readonly mark = { SUPERVISOR_MASTER: randomUUID() };

  /** @param home for who looks at the process; null: there is none */
  constructor(home: string | null) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT, 'guard', `SUPERVISOR_MASTER=${this.mark.SUPERVISOR_MASTER}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        ...(home !== null && { SUPERVISOR_HOME: home }),
        SUPERVISOR_GUARD: '1',
      },
    });
    // A guard that somebody killed breaks the pipe; the workers' own exit on disconnect is what is left then.
    this.#shell.stdin?.on('error', () => {});
    this.#shell.unref();
  }

  get pid(): number | null {
    return this.#shell.pid ?? null;
  }

  get groups(): ReadonlySet<number> {
    return this.#groups;
  }

  add(pgid: number): void {
    this.#groups.add(pgid);
    this.#shell.stdin?.write(`+ ${pgid}\n`);
  }

  remove(pgid: number): void {
    this.#groups.delete(pgid);
    this.#shell.stdin?.write(`- ${pgid}\n`);
  }

  /** Resolves when it has ended, after whatever still carries our mark. */
  close(): Promise<void> {
    const shell = this.#shell;
    if (shell.exitCode !== null || shell.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(resolve, CLOSE_MS);
      shell.once('exit', () => {
        clearTimeout(deadline);
        resolve();
      });
      shell.stdin?.end();
    });
  }
}
