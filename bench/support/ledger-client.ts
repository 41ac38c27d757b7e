/**
 * The client whose books balance: a process of its own, so that it stalls nobody and nobody stalls it. What it was told to send
 * and what came of it is in ledger-protocol.ts.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, type Outcome, type Sent } from './ledger-book.js';
import type { ClosedLoad, FromLedger, Load, OpenLoad, ToLedger } from './ledger-protocol.js';

const TICK_MS = 1;
/** More would be this process's own collapse, unless a load knows better. What is due beyond it is sent later, and its latency counts from when it was due. */
const MAX_OPEN = 1000;
const STOP_SLACK_MS = 1000;

const book = new Ledger();
const agents: http.Agent[] = [];
let answerDeadlineMs = 0;
/** Aborted when other loads take its place, or none. */
let current = new AbortController();

process.on('message', async (message: ToLedger) => {
  switch (message.type) {
    case 'send':
      current.abort();
      for (const agent of agents) retire(agent);
      current = new AbortController();
      answerDeadlineMs = message.answerDeadlineMs;
      book.phase(message.phase, performance.now());
      for (const load of message.loads) start(message.port, load, current.signal);
      return;
    case 'phase':
      book.phase(message.phase, performance.now());
      return;
    case 'report':
      reply();
      return;
    case 'stop':
      await stop();
  }
});
// Nobody is left who would read the books.
process.on('disconnect', () => process.exit(1));

function start(port: number, load: Load, signal: AbortSignal): void {
  if (load.kind === 'open') {
    sendAtRate(port, load, signal);
    return;
  }
  const agent = newAgent(load.keepAlive, load.clients);
  for (let client = 0; client < load.clients; client++) void sendInTurn(port, load, agent, signal);
}

async function sendInTurn(port: number, load: ClosedLoad, agent: http.Agent, signal: AbortSignal): Promise<void> {
  // Not all at once: clients that pause don't meet at the start either.
  if (load.maxPauseMs > 0) await sleep(Math.random() * load.maxPauseMs);
  while (!signal.aborted) {
    await send(port, load.path, agent, book.send(load.name, performance.now()), load.predicts);
    if (load.maxPauseMs > 0) await sleep(Math.random() * load.maxPauseMs);
  }
}

function sendAtRate(port: number, load: OpenLoad, signal: AbortSignal): void {
  const agent = newAgent(true, Number.POSITIVE_INFINITY);
  const maxOpen = load.maxOpen ?? MAX_OPEN;
  const startedAt = performance.now();
  let sent = 0;
  const tick = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * load.perSecond) / 1000);
    for (; sent < due && book.openRequests < maxOpen; sent++) {
      const dueAt = startedAt + ((sent + 1) * 1000) / load.perSecond;
      void send(port, load.path, agent, book.send(load.name, dueAt, load.goodWithinMs), load.predicts);
    }
  }, TICK_MS);
  signal.addEventListener('abort', () => clearInterval(tick), { once: true });
}

function newAgent(keepAlive: boolean, maxSockets: number): http.Agent {
  const agent = new http.Agent({ keepAlive, maxSockets });
  agents.push(agent);
  return agent;
}

/** Leaves no idle connection behind; those in use end with their answer. */
function retire(agent: http.Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}

/** Resolves when the request is answered or lost. */
function send(port: number, path: string, agent: http.Agent, sent: Sent, predicts = false): Promise<void> {
  const text = predicts ? JSON.stringify({ inputs: { id: sent.id } }) : null;
  const post = { 'content-type': 'application/json', 'content-length': text?.length };
  return new Promise((resolve) => {
    const lose = (reason: string) => {
      book.lose(sent, reason);
      resolve();
    };
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent,
        ...(text === null ? {} : { method: 'POST' }),
        headers: { 'x-request-id': sent.id, ...(text === null ? {} : post) },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.once('end', () => {
          const outcome = judge(response.statusCode ?? 0, body);
          const id = predicts ? predictedId(body) : (response.headers['x-request-id'] as string | undefined);
          if (outcome) book.answer(sent, id, outcome, performance.now());
          else book.lose(sent, `status ${response.statusCode}`);
          resolve();
        });
        response.once('error', () => lose('answer cut off'));
      },
    );
    request.setTimeout(answerDeadlineMs, () => {
      lose('no answer in time');
      request.destroy();
    });
    request.once('error', (error: NodeJS.ErrnoException) => lose(error.code ?? error.message));
    request.end(text ?? undefined);
  });
}

function predictedId(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { outputs?: { id?: string } }).outputs?.id;
  } catch {
    // Not JSON: judge() has said so.
    return undefined;
  }
}

/** Null for an answer that says neither yes nor why not. */
function judge(status: number, body: string): Outcome | null {
  if (status >= 200 && status < 300) return 'ok';
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown } };
    return typeof error?.code === 'string' ? 'typedError' : null;
  } catch {
    // Not JSON: whoever sent this is not one of ours.
    return null;
  }
}

async function stop(): Promise<void> {
  current.abort();
  const end = performance.now() + answerDeadlineMs + STOP_SLACK_MS;
  while (book.openRequests > 0 && performance.now() < end) await sleep(10);
  for (const agent of agents) agent.destroy();
  reply(() => process.exit(0));
}

function reply(sent = () => {}): void {
  const message: FromLedger = { type: 'entries', entries: book.entries(performance.now()) };
  process.send?.(message, sent);
}
