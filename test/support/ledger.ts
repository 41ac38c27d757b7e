import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

/** Clients that each wait for an answer before they send the next request. */
export interface Load {
  name: string;
  clients: number;
  path: string;
  method?: 'GET' | 'POST';
  /** `$ID` here and in the path is the request's id. Whoever answers repeats it, in the header `x-request-id` or in the body. */
  body?: string;
  headers?: Record<string, string>;
  /** Off: a connection for each request. */
  keepAlive: boolean;
  /** A client rests up to this long between its requests, evenly distributed. */
  maxPauseMs?: number;
}

/** What came of one load's requests: `sent` is the sum of `ok`, `typedErrors` and `lost`. */
export interface Page {
  sent: number;
  ok: number;
  /** Answers of status 400 and up that say why: `error.code` of their JSON body. */
  typedErrors: Record<string, number>;
  /** Requests without a proper answer, by what came instead. */
  lost: Record<string, number>;
  /** Answers to what was answered already. */
  duplicated: number;
  /** Answers by worker: the header `x-worker`, or `worker` in the body. */
  answeredBy: Record<string, number>;
}

export interface Book {
  pages: Record<string, Page>;
  sent: number;
  ok: number;
  typedErrors: number;
  duplicated: number;
  /** `load: what came instead` → how often. Empty when nothing was lost. */
  lost: Record<string, number>;
  /** Ids of the workers that answered. */
  workers: string[];
}

/** Fails unless every request got its answer, once. In full, since any object matches `toMatchObject({ lost: {} })`. */
export function expectAllAnswered({ lost, duplicated, pages }: Book): void {
  const typedErrors = Object.values(pages).flatMap((page) => Object.entries(page.typedErrors));
  expect({ lost, duplicated, typedErrors }).toEqual({ lost: {}, duplicated: 0, typedErrors: [] });
}

const ANSWER_DEADLINE_MS = 15_000;
const STOP_DEADLINE_MS = 30_000;

interface Progress {
  type: 'progress';
  answered: number;
  /** Requests that are out. */
  open: number;
  /** Workers that have answered. */
  workers: number;
}

type FromClient = Progress | { type: 'pages'; pages: Record<string, Page> };

/** Clients at work in a process of their own; ends with its test. */
export class Ledger {
  #seen: Progress = { type: 'progress', answered: 0, open: 0, workers: 0 };
  readonly #waiting = new Set<() => void>();

  readonly #pages: Promise<Record<string, Page>>;

  private constructor(private readonly child: ChildProcess) {
    let closed: (pages: Record<string, Page>) => void;
    this.#pages = new Promise((resolve) => {
      closed = resolve;
    });
    child.on('message', (message: FromClient) => {
      if (message.type === 'pages') return closed(message.pages);
      this.#seen = message;
      for (const look of [...this.#waiting]) look();
    });
  }

  /** Resolves when the first answers have come. */
  static async start(port: number, loads: Load[], answerDeadlineMs = ANSWER_DEADLINE_MS): Promise<Ledger> {
    const child = fork(fileURLToPath(new URL('./ledger-client.mjs', import.meta.url)), [], { execArgv: [] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ledger = new Ledger(child);
    child.send({ type: 'start', port, loads, answerDeadlineMs });
    await ledger.more(1);
    return ledger;
  }

  /** Requests that are out at this moment, or were 25 ms ago. */
  get open(): number {
    return this.#seen.open;
  }

  /** Resolves when this many more are answered. */
  more(count: number, timeoutMs?: number): Promise<void> {
    const goal = this.#seen.answered + count;
    return this.#until(() => this.#seen.answered >= goal, `${goal} answers`, timeoutMs);
  }

  /** Resolves when this many different workers have answered, from the start on. */
  answeredBy(workers: number, timeoutMs?: number): Promise<void> {
    return this.#until(() => this.#seen.workers >= workers, `answers of ${workers} workers`, timeoutMs);
  }

  #until(reached: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`waited ${timeoutMs} ms for ${what}: ${JSON.stringify(this.#seen)}`));
      }, timeoutMs);
      const look = () => {
        if (!reached()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Sends nothing more, waits for what is out, and closes the books. @throws Error when they don't balance */
  async stop(): Promise<Book> {
    this.child.send({ type: 'stop' });
    const late = once(AbortSignal.timeout(STOP_DEADLINE_MS), 'abort').then(() => null);
    const pages = await Promise.race([this.#pages, late]);
    if (!pages) throw new Error(`the ledger client did not end within ${STOP_DEADLINE_MS} ms`);
    for (const [name, page] of Object.entries(pages)) {
      const settled = page.ok + sum(page.typedErrors) + sum(page.lost);
      if (settled !== page.sent) throw new Error(`${name}: ${page.sent} were sent and ${settled} settled`);
    }
    return bookOf(pages);
  }
}

function bookOf(pages: Record<string, Page>): Book {
  const all = Object.values(pages);
  const total = (count: (page: Page) => number) => all.reduce((so, page) => so + count(page), 0);
  const lost = Object.entries(pages).flatMap(([name, page]) =>
    Object.entries(page.lost).map(([reason, count]) => [`${name}: ${reason}`, count] as const),
  );
  return {
    pages,
    sent: total((page) => page.sent),
    ok: total((page) => page.ok),
    typedErrors: total((page) => sum(page.typedErrors)),
    duplicated: total((page) => page.duplicated),
    lost: Object.fromEntries(lost),
    workers: [...new Set(all.flatMap((page) => Object.keys(page.answeredBy)))].sort(),
  };
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((so, count) => so + count, 0);
}
