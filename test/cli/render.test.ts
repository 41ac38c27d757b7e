import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { waitingFor } from '../../src/cli/apply.js';
import { appsTable } from '../../src/cli/render/apps.js';
import { appDetails } from '../../src/cli/render/details.js';
import { failures } from '../../src/cli/render/failures.js';
import { logText } from '../../src/cli/render/logs.js';
import { formatAge } from '../../src/cli/render/values.js';
import { appDetail, appRow, logLine } from './support.js';

const plain = picocolors.createColors(false);
const coloured = picocolors.createColors(true);
const cells = (line: string | undefined) => line?.trim().split(/ {2,}/);

describe('appsTable', () => {
  it('has a head and one row an app', () => {
    const lines = appsTable(
      [
        appRow(),
        appRow({ name: 'intents', version: 'v1', state: 'failed', ready: 0, workers: [], memory_bytes: null }),
      ],
      plain,
    ).split('\n');
    expect(cells(lines[0])).toEqual([
      'name',
      'kind',
      'version',
      'mode',
      'workers',
      'pid',
      'uptime',
      'restarts',
      'recycles',
      'state',
      'cpu',
      'memory',
    ]);
    expect(cells(lines[1])).toEqual([
      'web',
      'http',
      '–',
      'cluster',
      '2/2',
      '1001 +1',
      '1h 1m',
      '3',
      '4',
      'online',
      '12%',
      '50MiB',
    ]);
    expect(cells(lines[2])).toEqual([
      'intents',
      'http',
      'v1',
      'cluster',
      '0/2',
      '–',
      '–',
      '3',
      '4',
      'failed',
      '12%',
      '–',
    ]);
    expect(lines).toHaveLength(3);
  });

  it('counts the threads of one host as one pid', () => {
    const [first] = appRow().workers;
    const workers = [1, 2].map((thread) => ({ ...first!, pid: 77, thread }));
    expect(cells(appsTable([appRow({ workers })], plain).split('\n')[1])?.[5]).toBe('77');
  });

  it('colours the state only where colours are on, and neutralises names', () => {
    expect(appsTable([appRow({ state: 'failed' })], coloured)).toContain('\u001b[31mfailed');
    const text = appsTable([appRow({ name: 'a\u001b[2J\nb' })], plain);
    expect(text).toContain('a\\x1b[2J\\x0ab');
    expect(text).not.toContain('\u001b');
  });

  it('says so when there is none', () => {
    expect(appsTable([], plain)).toBe('no apps');
  });
});

describe('details, failures and lines', () => {
  it('shows settings that are set, workers and decisions', () => {
    const decision = {
      time: 't',
      policy: 'recycle',
      subject: 'web/1',
      action: 'recycle',
      reason: 'requests',
      numbers: { requests: 100 },
    };
    const text = appDetails(appDetail({ reason: 'no memory', state: 'degraded', decisions: [decision] }), plain);
    for (const part of [
      'degraded: no memory',
      '/shop/supervisor.yaml',
      'max_requests 100',
      'SECRET',
      'web/2',
      'requests 100',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('max_age_ms');
  });

  it('names what failed, why, and its last lines', () => {
    const results = [
      { app: 'ok', ok: true, error: null },
      { app: 'bad', ok: false, error: { code: 'X', message: 'exited (1)', log_tail: ['boom \u001b[2J'] } },
    ];
    expect(failures({ results }, plain)).toBe('✗ bad: exited (1)\n    | boom \\x1b[2J');
  });

  it('keeps a line one line', () => {
    expect(logText(logLine('a\u001b]0;x\u0007\rb', { worker: 'w\u202e' }), plain)).toBe(
      '2026-01-01T00:00:00.000Z w\\u202e | a\\x1b]0;x\\x07\\x0db',
    );
  });

  it('formats ages', () => {
    expect([0, 0.4, 59, 60, 65, 3600, 7505, 90_000].map(formatAge)).toEqual([
      '0s',
      '0s',
      '59s',
      '1m',
      '1m 5s',
      '1h',
      '2h 5m',
      '1d 1h',
    ]);
  });

  it('says what is being waited for', () => {
    expect(waitingFor([appRow()])).toBeNull();
    expect(
      waitingFor([
        appRow(),
        appRow({ name: 'intents', version: 'v1', state: 'starting', ready: 1 }),
        appRow({ state: 'starting' }),
      ]),
    ).toBe('waiting for intents@v1 (starting, 1/2 ready) and 1 more');
  });
});
