import { renameSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ModelStatus } from '../../src/master/model-status.js';
import { Box, processesOf, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

const LONG = process.env.SUPERVISOR_LONG_TESTS !== undefined;
const FOR_MS = LONG ? 60_000 : 8000;
const LOOPS = 32;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
/** What may come of a request to a model that is loaded and unloaded all the time. */
const TYPED = new Set([
  'SUP_NO_ROOM',
  'SUP_NOT_READY',
  'SUP_QUEUE_FULL',
  'SUP_OVERLOADED',
  'SUP_WORKER_DIED',
  'SUP_DEADLINE',
]);

const OF_A_KILLED_LOAD = new Set(['SUP_LOAD_FAILED', 'SUP_WORKER_BOOT_FAILED']);

/** Of one loop; the same seed draws the same. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function endings({ inputs }: ModelStatus): number {
  const { succeeded, model_errors, expired, cancelled, refused, lost } = inputs;
  return succeeded + model_errors + expired + cancelled + refused + lost;
}

describe(`${LOOPS} loops of load, unload and predict for ${FOR_MS / 1000} s`, () => {
  it.each([
    ['alone', false],
    ['with scale, reload, restart and kills among them', true],
  ])(
    'end with every request answered and nothing on the books, %s',
    async (_what, mixed) => {
      const requires = (name: string) => (name === 'c' ? 'a' : name === 'g' ? 'c, b' : '');
      const app = (name: string, i: number) =>
        `  ${name}: { unload: { requires: [${requires(name)}] }, module: $FIXTURES/models/turns.mjs, isolation: ${i % 2 === 0 ? 'thread' : 'process'}, workers: { min: 0, max: 2 }, restart: { backoff: 20ms, max_restarts: 1000 } }`;
      const yaml = (
        more = '',
      ) => `models: { concurrent_loads: 2, max_loaded: 5, cold_start_timeout: 20s, failure_cooldown: 200ms }
unloading: { min_residency: 0s }
apps:
${NAMES.map(app).join('\n')}${more}
`;
      const box = await Box.open(yaml());
      const models = new Models(box);
      await box.ok('start', 'supervisor.yaml');
      const endsAt = performance.now() + FOR_MS;
      const counts = { asked: 0, answered: 0, acts: 0 };
      const strange: string[] = [];

      const loop = async (seed: number) => {
        const below = generator(seed);
        while (performance.now() < endsAt) {
          const name = NAMES[below(NAMES.length)] as string;
          const what = below(mixed ? 20 : 10);
          if (what < 7) {
            counts.asked++;
            const answer = await models.ask(name, `${seed}`);
            counts.answered++;
            const code = codeOf(answer) ?? '';
            const fine = answer.status === 200 || TYPED.has(code) || (mixed && OF_A_KILLED_LOAD.has(code));
            if (!fine) strange.push(`${name}: ${answer.status} ${answer.error ?? answer.text}`);
            continue;
          }
          counts.acts++;
          const act = await (what < 9
            ? models.tryTo(what === 7 ? 'load' : 'unload', name)
            : what < 12
              ? models.tryTo('unload', name)
              : what < 15
                ? models.tryTo('scale', name, { size: ['1', '2', '0', 'auto'][below(4)] })
                : what < 17
                  ? models.tryTo(below(2) === 0 ? 'reload' : 'recycle', name)
                  : what === 17
                    ? models.tryTo('restart', name)
                    : killOne(name));
          // An act may be too late, or meet another one; it never breaks.
          if (act !== null && ![200, 409, 500, 503, 507].includes(act.status))
            strange.push(`${name}: ${act.status} ${act.text}`);
        }
      };
      const killOne = async (name: string) => {
        const pid = (await models.pids(name)).find((each) => each !== null);
        try {
          if (pid) process.kill(pid, 'SIGKILL');
        } catch {
          // It went by itself.
        }
        return null;
      };
      const loops = Array.from({ length: LOOPS }, (_, i) => loop(i + 1));
      if (mixed) {
        loops.push(
          (async () => {
            // A further model comes and goes.
            for (let i = 0; performance.now() < endsAt; i++) {
              const next = `${box.file}.next`;
              box.write(yaml(i % 2 === 0 ? `\n${app('extra', i)}` : ''), next);
              // At once: reloads by name read the file too.
              renameSync(next, box.file);
              await box.cli('start', 'supervisor.yaml');
            }
          })(),
        );
      }
      await Promise.all(loops);

      expect(strange.slice(0, 5)).toEqual([]);
      expect(counts.answered).toBe(counts.asked);
      expect(counts.answered).toBeGreaterThan(LOOPS);
      for (const name of NAMES) if (mixed) await models.tryTo('scale', name, { size: 'auto' });
      await until(
        async () =>
          (await models.all()).every(
            ({ state, memory_pending, queued, in_flight }) =>
              (state === 'ready' || state === 'unloaded') && !memory_pending && queued + in_flight === 0,
          ),
        'all to be at rest',
        30_000,
      ).catch(async (error) => {
        throw new Error(
          `${error.message}: ${JSON.stringify((await models.all()).map(({ name, state, reason, queued, in_flight, memory_pending }) => ({ name, state, reason, queued, in_flight, memory_pending })))}`,
        );
      });
      const all = await models.all();
      for (const model of all) expect([model.name, endings(model)]).toEqual([model.name, model.inputs.requests]);
      if (!mixed) expect(all.reduce((sum, { inputs }) => sum + inputs.requests, 0)).toBe(counts.asked);
      // Each model still does what it should.
      for (const name of NAMES) expect([name, (await models.ask(name, 'x')).status]).toEqual([name, 200]);
      await box.ok('kill');
      expect(processesOf(box.home)).toEqual([]);
    },
    FOR_MS + 120_000,
  );
});
