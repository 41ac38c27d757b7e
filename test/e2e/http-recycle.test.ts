import { expect, it } from 'vitest';
import type { AppRow, Decision } from '../../src/master/supervisor.js';
import { Box, freePort, until } from '../support/box.js';
import { expectAllAnswered, Ledger, type Load } from '../support/ledger.js';

const SCRIPT = 'kind: http, script: $FIXTURES/http/bare.mjs';
const LOADS: Load[] = [
  { name: 'GET, kept', clients: 3, path: '/', keepAlive: true, maxPauseMs: 50 },
  {
    name: 'POST, fresh',
    clients: 3,
    path: '/',
    method: 'POST',
    body: '{"id":"$ID"}',
    keepAlive: false,
    maxPauseMs: 50,
  },
  { name: 'slow', clients: 4, path: '/?ms=200', keepAlive: true },
  { name: 'paused', clients: 20, path: '/', keepAlive: true, maxPauseMs: 2500 },
];

/** Latest possible moment at which each worker began its life, as far as its age tells. */
class Births {
  readonly ms = new Map<string, number>();

  note(row: AppRow): void {
    const now = Date.now();
    for (const { id, age_seconds } of row.workers)
      this.ms.set(id, Math.min(this.ms.get(id) ?? now, now - age_seconds * 1000));
  }
}

it('workers are replaced after so many requests or users, none before it is 10 s old, and no request is lost', async () => {
  const usersPort = await freePort();
  const box = await Box.open(`apps:
  requests: { ${SCRIPT}, port: $WEB, workers: 2, recycle: { max_requests: 40, jitter: 10% } }
  users: { ${SCRIPT}, port: ${usersPort}, workers: 2, recycle: { max_users: 8, user_key: header:x-user-id, jitter: 0% } }
`);
  await box.ok('start', 'supervisor.yaml');
  const requests = await Ledger.start(box.web, LOADS);
  const users = await Ledger.start(usersPort, [
    ...Array.from({ length: 12 }, (_, user) => user).map((user) => ({
      name: `user ${user}`,
      clients: 1,
      path: '/',
      keepAlive: user % 2 === 0,
      headers: { 'x-user-id': `user-${user}` },
      maxPauseMs: 100,
    })),
    { name: 'nobody', clients: 4, path: '/', keepAlive: false },
  ]);

  const births = new Births();
  const bothRecycled = async () => {
    const rows = [await box.row('requests'), await box.row('users')];
    for (const row of rows) births.note(row);
    return rows.every((row) => row.recycles >= 2 && row.ready === 2 && row.workers.length === 2);
  };
  await until(bothRecycled, 'both workers of both apps to be replaced', 40_000);
  for (const ledger of [requests, users]) expectAllAnswered(await ledger.stop());

  const recycled = await box.decisions(({ policy, action }) => policy === 'recycle' && action === 'recycle');
  const of = (app: string) => recycled.filter(({ subject }) => subject.startsWith(`${app}/`));
  expect(of('requests').length).toBeGreaterThanOrEqual(2);
  for (const { reason, numbers } of of('requests')) {
    expect(reason).toBe('requests');
    expect(numbers.limit).toBeGreaterThanOrEqual(36);
    expect(numbers.limit).toBeLessThanOrEqual(44);
    expect(numbers.requests).toBeGreaterThanOrEqual(numbers.limit as number);
  }
  expect(of('users').length).toBeGreaterThanOrEqual(2);
  for (const { reason, numbers } of of('users')) {
    expect(reason).toBe('users');
    expect(numbers.limit).toBe(8);
    expect(numbers.users).toBeGreaterThanOrEqual(8);
    expect(numbers.users).toBeLessThanOrEqual(12);
  }
  for (const { subject, time } of recycled) expect(ageAt({ subject, time }, births), subject).toBeGreaterThan(9900);
  // One at a time: the second is decided on after the first one's replacement is there.
  for (const app of ['requests', 'users']) {
    const subjects = of(app).map(({ subject }) => subject);
    expect(new Set(subjects).size).toBe(subjects.length);
    expect(await box.row(app)).toMatchObject({ state: 'online', generation: 1, restarts: 0 });
  }
});

function ageAt({ subject, time }: Pick<Decision, 'subject' | 'time'>, births: Births): number {
  const born = births.ms.get(subject);
  if (born === undefined) throw new Error(`${subject} was recycled before anybody saw it`);
  return Date.parse(time) - born;
}
