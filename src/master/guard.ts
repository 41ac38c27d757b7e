import { type ChildProcess, spawn } from 'node:child_process';
import type { GroupRegistry } from '../worker/backends/child.js';

/**
 * A shell that reads process-group ids from a pipe and, when the pipe closes, kills the groups that are still on its list. The kernel
 * closes the pipe however the master dies, so blocked event loops and grandchildren go with a SIGKILLed master too.
 * The list is one string of ids between spaces; nothing but numbers is ever written to the pipe.
 */
const SCRIPT = `trap '' TERM INT HUP QUIT USR1 USR2
list=' '
while read -r op id; do
  case $op in
    +) list="$list$id " ;;
    -) case $list in *" $id "*) list="\${list%% $id *} \${list#* $id }" ;; esac ;;
  esac
done
for p in $list; do kill -KILL -$p 2>/dev/null; done`;

export class Guard implements GroupRegistry {
  readonly #shell: ChildProcess;
  readonly #groups = new Set<number>();

  constructor(home: string) {
    this.#shell = spawn('/bin/sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SUPERVISOR_HOME: home, SUPERVISOR_GUARD: '1' },
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

  close(): void {
    this.#shell.stdin?.end();
  }
}
