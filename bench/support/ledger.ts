import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endChild } from './command.js';
import type { Entry, FromLedger, Load, ToLedger } from './ledger-protocol.js';
import type { Scope } from './scope.js';

const ANSWER_DEADLINE_MS = 10_000;
/** A client that stops waits for what is out, one answer deadline at most. */
const REPLY_DEADLINE_MS = 3 * ANSWER_DEADLINE_MS;

/** A ledger client, in a process of its own. */
export class LedgerClient {
  private constructor(private readonly child: ChildProcess) {}

  static start(scope: Scope): LedgerClient {
    const child = fork(fileURLToPath(new URL('./ledger-client.js', import.meta.url)), [], { env: scope.env });
    scope.defer('ledger client', () => endChild(child));
    return new LedgerClient(child);
  }

  /** In place of what it sends now. */
  send(port: number, loads: Load[], phase: string, answerDeadlineMs = ANSWER_DEADLINE_MS): void {
    this.#tell({ type: 'send', port, loads, phase, answerDeadlineMs });
  }

  phase(phase: string): void {
    this.#tell({ type: 'phase', phase });
  }

  /** Its books so far; it goes on. */
  report(): Promise<Entry[]> {
    return this.#ask({ type: 'report' });
  }

  /** Its closed books; it ends. */
  stop(): Promise<Entry[]> {
    return this.#ask({ type: 'stop' });
  }

  #tell(message: ToLedger): void {
    this.child.send(message);
  }

  #ask(message: ToLedger): Promise<Entry[]> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(deadline);
        this.child.off('message', onMessage).off('exit', onExit);
      };
      const onMessage = ({ entries }: FromLedger) => {
        settle();
        resolve(entries);
      };
      const onExit = () => {
        settle();
        reject(new Error('the ledger client ended without a reply'));
      };
      const deadline = setTimeout(() => {
        settle();
        reject(new Error(`the ledger client did not reply within ${REPLY_DEADLINE_MS / 1000} s`));
      }, REPLY_DEADLINE_MS);
      this.child.on('message', onMessage).on('exit', onExit);
      if (this.child.exitCode !== null || this.child.signalCode !== null) onExit();
      else this.#tell(message);
    });
  }
}

export interface Loss {
  lost: number;
  duplicated: number;
  reasons: Record<string, number>;
}

/** What went wrong over all entries. */
export function lossOf(entries: readonly Entry[]): Loss {
  const reasons: Record<string, number> = {};
  for (const entry of entries)
    for (const [reason, count] of Object.entries(entry.lost)) reasons[reason] = (reasons[reason] ?? 0) + count;
  const lost = Object.values(reasons).reduce((sum, count) => sum + count, 0);
  return { lost, duplicated: entries.reduce((sum, entry) => sum + entry.duplicated, 0), reasons };
}
