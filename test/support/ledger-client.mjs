/**
 * The client whose books balance: a process of its own, so that neither it nor the test stalls the other. Every request is written
 * down when it is sent and crossed out once: by the answer that repeats its id, or by how it was lost.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRESS_MS = 25;
const ID = /\br\d+-[0-9a-f]{8}\b/;

/** @typedef {import('./ledger.js').Load} Load */
/** @typedef {import('./ledger.js').Page} Page */

const run = Math.trunc(Math.random() * 2 ** 32)
  .toString(16)
  .padStart(8, '0');
/** Ids that nobody has answered yet. */
const open = new Set();
/** @type {Map<string, Page>} */
const pages = new Map();
/** @type {http.Agent[]} */
const agents = [];
const workers = new Set();
let count = 0;
let answered = 0;
let stopping = false;
let answerDeadlineMs = 0;

process.on('message', async (message) => {
  if (message.type === 'start') {
    answerDeadlineMs = message.answerDeadlineMs;
    for (const load of message.loads) start(message.port, load);
    setInterval(
      () => process.send({ type: 'progress', answered, open: open.size, workers: workers.size }),
      PROGRESS_MS,
    );
  } else await stop();
});
// Nobody is left who would read the books.
process.on('disconnect', () => process.exit(1));

/** @param {number} port @param {Load} load */
function start(port, load) {
  const page = { sent: 0, ok: 0, typedErrors: {}, lost: {}, duplicated: 0, answeredBy: {} };
  pages.set(load.name, page);
  for (let client = 0; client < load.clients; client++) {
    // One connection a client, which it keeps or not.
    const agent = new http.Agent({ keepAlive: load.keepAlive, maxSockets: 1 });
    agents.push(agent);
    void sendInTurn(port, load, page, agent);
  }
}

/** @param {number} port @param {Load} load @param {Page} page @param {http.Agent} agent */
async function sendInTurn(port, load, page, agent) {
  const pause = () => (load.maxPauseMs ? sleep(Math.random() * load.maxPauseMs) : undefined);
  await pause();
  while (!stopping) {
    await send(port, load, page, agent);
    await pause();
  }
}

/** Resolves when the request is answered or lost. @param {number} port @param {Load} load @param {Page} page @param {http.Agent} agent */
function send(port, load, page, agent) {
  const id = `r${++count}-${run}`;
  open.add(id);
  page.sent++;
  const body = load.body?.replaceAll('$ID', id);
  const headers = { 'x-request-id': id, ...load.headers };
  if (body !== undefined) {
    headers['content-type'] ??= 'application/json';
    headers['content-length'] = Buffer.byteLength(body);
  }
  const { promise, resolve } = deferred();
  const lose = (reason) => {
    if (open.delete(id)) page.lost[reason] = (page.lost[reason] ?? 0) + 1;
    resolve();
  };
  const path = load.path.replaceAll('$ID', id);
  const request = http.request({ host: '127.0.0.1', port, method: load.method ?? 'GET', path, agent, headers });
  request.once('response', (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    response.once('error', () => lose('answer cut off'));
    response.once('end', () => {
      settle(page, id, response, text, lose);
      resolve();
    });
  });
  request.setTimeout(answerDeadlineMs, () => {
    lose('no answer in time');
    request.destroy();
  });
  request.once('error', (error) => lose(error.code ?? error.message));
  request.end(body);
  return promise;
}

/** @param {Page} page @param {string} id @param {http.IncomingMessage} response @param {string} text @param {(reason: string) => void} lose */
function settle(page, id, response, text, lose) {
  const status = response.statusCode ?? 0;
  const answeredId = response.headers['x-request-id'] ?? ID.exec(text)?.[0];
  const code = status < 400 ? null : errorCode(text);
  if (status >= 400 && code === null) return lose(`status ${status}: ${text.slice(0, 80)}`);
  // A refusal may come from somebody who does not repeat the id.
  if (answeredId === undefined ? status < 400 : answeredId !== id) {
    if (answeredId?.endsWith(run) && !open.has(answeredId)) page.duplicated++;
    return lose(`answer to ${answeredId ?? 'nobody'}`);
  }
  if (!open.delete(id)) {
    page.duplicated++;
    return;
  }
  answered++;
  if (code === null) page.ok++;
  else page.typedErrors[code] = (page.typedErrors[code] ?? 0) + 1;
  const by = response.headers['x-worker'] ?? /"worker":"([^"]+)"/.exec(text)?.[1];
  if (by) workers.add(by);
  if (by) page.answeredBy[by] = (page.answeredBy[by] ?? 0) + 1;
}

/** `error.code` of our error answers; null when it is none of ours. @param {string} text */
function errorCode(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error?.code === 'string' ? error.code : null;
  } catch {
    // Not JSON: whoever sent this is not one of ours.
    return null;
  }
}

function deferred() {
  let resolve = () => {};
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function stop() {
  stopping = true;
  const end = performance.now() + answerDeadlineMs + 1000;
  while (open.size > 0 && performance.now() < end) await sleep(5);
  for (const agent of agents) agent.destroy();
  process.send({ type: 'pages', pages: Object.fromEntries(pages) }, () => process.exit(0));
}
