// `npm run demo`: a scripted run of what the supervisor does with several models. It uses a state folder and ports of its own, and leaves
// nothing behind.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify, styleText } from 'node:util';

const run = promisify(execFile);
const ZOO = path.dirname(fileURLToPath(import.meta.url));
const SUPERVISOR = path.resolve(ZOO, '../../dist/src/cli/main.js');
const home = mkdtempSync(path.join(tmpdir(), 'zoo-'));
const [inference, control] = await Promise.all([freePort(), freePort()]);
const env = {
  ...process.env,
  SUPERVISOR_HOME: home,
  SUPERVISOR__INFERENCE__PORT: String(inference),
  SUPERVISOR__CONTROL__PORT: String(control),
};
const url = `http://127.0.0.1:${inference}`;
const startedAt = Date.now();

try {
  await start();
  await versions();
  await coldStart();
  await balancing();
  await failover();
  await scaleToZero();
  await monitoring();
  await explained();
} finally {
  await supervisor('kill');
  rmSync(home, { recursive: true, force: true });
}
heading(
  `That took ${Math.round((Date.now() - startedAt) / 1000)} s. Everything is stopped; no process and no file is left.`,
);

async function start() {
  heading('1  Start', 'Three models, four versions of them. `atlas` may sleep: it has no worker until somebody asks.');
  print(await supervisor('start', path.join(ZOO, 'supervisor.yaml')));
}

async function versions() {
  heading(
    '2  Versions',
    '`language` has two live versions. v2 is new: it gets 20 of 100 requests that name no version.',
  );
  const counts = {};
  for (let i = 0; i < 50; i++) count(counts, (await ask('language', 'wo ist mein Zug')).version);
  say(`50 requests without a version: ${shown(counts)}`);
  const text = 'où est mon train';
  for (const version of ['v1', 'v2'])
    say(`${version}, asked by name, takes "${text}" for: ${(await ask(`language/${version}`, text)).outputs}`);
}

async function coldStart() {
  heading('3  Cold start', '100 requests at once for `atlas`, which is not loaded. They wait; it is loaded once.');
  const began = Date.now();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask('atlas', `place ${i}`)));
  const { loads } = await stats('atlas');
  say(
    `${answers.length} answers after ${Date.now() - began} ms; loads: ${loads.loads}; the load itself took ${Math.round(loads.last_seconds * 1000)} ms`,
  );
  const warm = Date.now();
  await ask('atlas', 'Oslo');
  say(`the next request takes ${Date.now() - warm} ms`);
}

async function balancing() {
  heading(
    '4  Balancing',
    '`birds` has three workers, and the first is five times slower. Requests go where the answer comes soonest.',
  );
  const { counts, p95 } = await crowd(240);
  say(`240 requests from 4 clients: ${shown(counts)}; 95 % within ${p95} ms`);
  say('The slow one still gets a few: else nobody would notice when it recovers.');
}

async function failover() {
  heading('5  Failover', 'One input kills its worker, in the middle of 200 others.');
  const victim = ask('birds', 'crash');
  const { counts, failed } = await crowd(200);
  const { status, error } = await victim;
  say(`others: ${Object.values(counts).reduce((a, b) => a + b, 0)} answered, ${failed} failed`);
  say(`the one that kills: tried twice, then ${status} ${error.code}`);
  await until(async () => (await stats('birds')).instances.active === 3);
  const again = await ask('birds', 'crash');
  say(`sent again: ${again.status} ${again.error.code}; all three workers are back`);
}

async function scaleToZero() {
  heading('6  Scale to zero', '`atlas` is unloaded when it was idle for 3 s, and its memory is given back.');
  if ((await stats('atlas')).state === 'unloaded') {
    await ask('atlas', 'Rome');
    say('it was idle for so long already; one request has loaded it again');
  }
  const began = Date.now();
  let most = 0;
  await until(async () => {
    const { state, memory_bytes: bytes } = await stats('atlas');
    most = Math.max(most, bytes ?? 0);
    return state === 'unloaded';
  });
  say(`unloaded after ${((Date.now() - began) / 1000).toFixed(1)} s; ${Math.round(most / 1024 ** 2)} MiB given back`);
  print(await supervisor('list'));
}

async function monitoring() {
  heading('7  Monitoring', `The last minute, from ${url}/autoscaler/metrics?window_seconds=60`);
  const metrics = await (await fetch(`${url}/autoscaler/metrics?window_seconds=60`)).json();
  for (const key of [
    'active_instances',
    'requests_per_second',
    'average_response_time_ms',
    'error_rate_percent',
    'cold_starts',
  ])
    say(`${key.padEnd(26)} ${metrics[key]}`);
}

async function explained() {
  heading('8  Why', 'Every automatic act has its row in the decision log.');
  print((await supervisor('decisions')).split('\n').slice(-14).join('\n'));
}

/** Requests for `birds` from four clients: which workers answered, how many failed, and the 95th percentile in ms. */
async function crowd(requests) {
  const counts = {};
  const times = [];
  let failed = 0;
  let next = 0;
  const client = async () => {
    while (next < requests) {
      const began = Date.now();
      const { status, worker } = await ask('birds', next++);
      times.push(Date.now() - began);
      if (status === 200) count(counts, worker);
      else failed++;
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  times.sort((a, b) => a - b);
  return { counts, failed, p95: times[Math.floor(times.length * 0.95)] };
}

async function ask(model, inputs) {
  const response = await fetch(`${url}/predict/${model}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs }),
  });
  return { status: response.status, ...(await response.json()) };
}

async function stats(name) {
  const { models } = await (await fetch(`${url}/autoscaler/stats`)).json();
  return models.find((model) => model.name === name);
}

async function until(happened) {
  while (!(await happened())) await sleep(100);
}

/** Output of one command; it is shown even where the command reports a failure. */
async function supervisor(...args) {
  const { stdout } = await run(process.execPath, [SUPERVISOR, ...args], { env });
  return stdout.trimEnd();
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function heading(title, what = '') {
  console.log(`\n${styleText('bold', title)}${what && `\n${styleText('dim', what)}`}`);
}

function say(text) {
  console.log(`   ${text}`);
}

function print(text) {
  for (const line of text.split('\n')) say(line);
}

function count(counts, key) {
  counts[key] = (counts[key] ?? 0) + 1;
}

function shown(counts) {
  return Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, number]) => `${key}: ${number}`)
    .join(', ');
}
