import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Box, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

const REASONS: Record<string, string> = {
  throw: 'weights.bin is missing',
  exit: 'exited with code 7',
  hang: 'was not ready after 4 s (ready.timeout)',
  oom: 'starting',
};

/** Models that fail to load in all ways, in a process and in a thread. */
function yaml(cooldown: string): string {
  const apps = Object.keys(REASONS).flatMap((how) =>
    ['process', 'thread'].map(
      (isolation) =>
        `  ${how}-${isolation}: { module: $FIXTURES/models/loads-by-file.mjs, isolation: ${isolation}, workers: { min: 0, max: 1 }, ready: { timeout: ${how === 'hang' ? '4s' : '20s'} }, limits: { heap: 64MiB }, options: { journal: ${how}-${isolation}.txt, how: ${how} } }`,
    ),
  );
  return `models: { failure_cooldown: ${cooldown}, concurrent_loads: 4 }\napps:\n${apps.join('\n')}\n`;
}

async function open(cooldown: string): Promise<{ box: Box; models: Models; loads: (name: string) => number }> {
  const box = await Box.open(yaml(cooldown));
  for (const how of Object.keys(REASONS)) writeFileSync(path.join(box.dir, how), how);
  await box.ok('start', 'supervisor.yaml');
  const loads = (name: string) => readFileSync(path.join(box.dir, `${name}.txt`), 'utf8').split('\n').length - 1;
  return { box, models: new Models(box), loads };
}

const NAMES = Object.keys(REASONS).flatMap((how) => [`${how}-process`, `${how}-thread`]);

describe('a load that fails', () => {
  it('is tried once, whatever became of it, and is in everybody’s answer until it may be tried again', async () => {
    const { box, models, loads } = await open('60s');
    await Promise.all(
      NAMES.map(async (name) => {
        const reason = REASONS[name.split('-')[0] as string] as string;
        const first = await Promise.all(Array.from({ length: 5 }, () => models.ask(name, 'x')));
        for (const answer of first)
          expect([name, answer.status, codeOf(answer)]).toEqual([name, 503, 'SUP_LOAD_FAILED']);
        expect(first[0]?.text).toContain(reason);
        // No storm.
        for (let i = 0; i < 4; i++) {
          const more = await Promise.all(Array.from({ length: 50 }, () => models.ask(name, 'x')));
          for (const answer of more) expect([name, answer.status]).toEqual([name, 503]);
          const seconds = Number(more[0]?.headers['retry-after']);
          expect(seconds).toBeGreaterThan(1);
          expect(seconds).toBeLessThanOrEqual(60);
        }
        expect([name, loads(name)]).toEqual([name, 1]);
        const status = await models.status(name);
        expect(status).toMatchObject({ state: 'failed', loads: { loads: 0, failures: 1 }, instances: { target: 0 } });
        expect(status.reason).toContain(reason);
      }),
    );
    const failures = await box.decisions(({ policy, action }) => policy === 'load' && action === 'failed');
    expect(failures.length).toBe(NAMES.length);
  });

  it('is tried again by a request after failure_cooldown, and by hand at once', async () => {
    const { box, models, loads } = await open('2s');
    const name = 'throw-process';
    expect((await models.ask(name, 'x')).status).toBe(503);
    const failedAt = performance.now();
    const byHand = await models.tryTo('load', name);
    expect(byHand.status).not.toBe(200);
    expect(byHand.text).toContain('weights.bin is missing');
    expect(loads(name)).toBe(2);
    expect((await models.ask(name, 'x')).status).toBe(503);
    expect(loads(name)).toBe(2);
    writeFileSync(path.join(box.dir, 'throw'), 'ok');
    await until(async () => (await models.ask(name, 'x')).status === 200, 'the cooldown to end');
    expect(performance.now() - failedAt).toBeGreaterThan(2000);
    expect(loads(name)).toBe(3);

    const other = 'throw-thread';
    writeFileSync(path.join(box.dir, 'throw'), 'throw');
    expect((await models.ask(other, 'x')).status).toBe(503);
    writeFileSync(path.join(box.dir, 'throw'), 'ok');
    await models.act('load', other);
    expect((await models.ask(other, 'x')).status).toBe(200);
  });

  it('is not tried by a start or a forecast either while it cools down, and harms no other load', async () => {
    const { box, models, loads } = await open('60s');
    expect((await models.ask('throw-process', 'x')).status).toBe(503);
    // V2 wakes a model before it reads what was sent.
    for (let i = 0; i < 3; i++) await box.api('POST', '/v2/models/throw-process/infer', { inputs: [] });
    box.write(yaml('60s').replace('concurrent_loads: 4', 'concurrent_loads: 1'));
    await box.ok('start', 'supervisor.yaml');
    expect(loads('throw-process')).toBe(1);
    writeFileSync(path.join(box.dir, 'exit'), 'ok');
    expect((await models.ask('exit-process', 'x')).status).toBe(200);
  });
});
