import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/master/supervisor.js';
import { readProportional } from '../../src/sensing/procfs.js';
import { Box, processesOf, until } from '../support/box.js';
import { codeOf, Models } from '../support/models.js';

const MIB = 1024 ** 2;
const LIMIT_MIB = 1024;
const LONG = process.env.SUPERVISOR_LONG_TESTS !== undefined;
const FOR_MS = LONG ? 60_000 : 8000;
const CLIENTS = 6;
/** Of native memory; three models take up to half of the limit, and all of them half as much again as there is. */
const SIZES = [60, 73, 85, 98, 111, 124, 136, 149, 162, 174, 187, 200];
/** Above the limit by so much, and for so long: no more is allowed. */
const MOST_SHARE = 1.05;
const MOST_MS = 3000;
const LOOK_EVERY_MS = 200;
const TYPED = new Set([
  'SUP_NO_ROOM',
  'SUP_CHURN',
  'SUP_NOT_READY',
  'SUP_QUEUE_FULL',
  'SUP_OVERLOADED',
  'SUP_DEADLINE',
  'SUP_WORKER_DIED',
]);

/** What all processes of the box take, as /proc tells. */
function usedBytes(home: string): number {
  return processesOf(home).reduce((sum, pid) => sum + (readProportional(pid)?.pssBytes ?? 0), 0);
}

/** Looks again and again, until it is stopped. */
class Watch {
  mostBytes = 0;
  /** The longest time without a look below the limit. */
  longestAboveMs = 0;
  #aboveSince: number | null = null;
  readonly #timer: NodeJS.Timeout;

  constructor(home: string, limitBytes: number) {
    this.#timer = setInterval(() => {
      const bytes = usedBytes(home);
      const now = performance.now();
      this.mostBytes = Math.max(this.mostBytes, bytes);
      if (bytes <= limitBytes) this.#aboveSince = null;
      else {
        this.#aboveSince ??= now;
        this.longestAboveMs = Math.max(this.longestAboveMs, now - this.#aboveSince);
      }
    }, LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

const name = (mib: number) => `m${mib}`;
const apps = (isolation: string) =>
  SIZES.map(
    (mib) =>
      `  ${name(mib)}: { module: $FIXTURES/models/holds.mjs, options: { mib: ${mib} }, isolation: ${isolation}, workers: { min: 0, max: 1 } }`,
  ).join('\n');

async function open(isolation: string, unloading: string): Promise<{ box: Box; models: Models }> {
  const box = await Box.open(
    `limits: { memory: ${LIMIT_MIB}MiB }\nunloading: { ${unloading} }\napps:\n${apps(isolation)}\n`,
  );
  await box.ok('start', 'supervisor.yaml');
  return { box, models: new Models(box) };
}

interface Tally {
  asked: number;
  ok: number;
  typed: Record<string, number>;
  strange: string[];
}

/** Each client asks one of the models after the other, some of them more often than others. */
async function traffic(models: Models, forMs: number): Promise<Tally> {
  const tally: Tally = { asked: 0, ok: 0, typed: {}, strange: [] };
  const endsAt = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let turn = 0; performance.now() < endsAt; turn++) {
        const favourite = turn % 3 < 2;
        const mib = SIZES[favourite ? (client + turn) % 4 : (client * 5 + turn) % SIZES.length] as number;
        tally.asked++;
        const answer = await models.ask(name(mib), turn % 7 === 0 ? 'sleep 50' : 'x', { timeout: 20 });
        const code = codeOf(answer) ?? '';
        if (answer.status === 200) tally.ok++;
        else if (TYPED.has(code)) tally.typed[code] = (tally.typed[code] ?? 0) + 1;
        else tally.strange.push(`${name(mib)}: ${answer.status} ${answer.text}`);
      }
    }),
  );
  return tally;
}

const freed = ({ action, numbers }: Decision) => action === 'freed' && typeof numbers.freed_bytes === 'number';

describe(`${SIZES.length} models of 60 to 200 MB under 1 GiB, for ${FOR_MS / 1000} s`, () => {
  it.each([
    ['process', 'min_residency: 2s, check_interval: 1s, balanced: 5s'],
    ['thread', 'min_residency: 1s, check_interval: 1s, pressure_timeout: 2s'],
    ['process', 'max_per_cycle: 2'],
  ])(
    'stay within it, and every request ends (%s, %s)',
    async (isolation, unloading) => {
      const { box, models } = await open(isolation, unloading);
      const watch = new Watch(box.home, LIMIT_MIB * MIB * MOST_SHARE);
      const tally = await traffic(models, FOR_MS).finally(() => watch.stop());
      expect(tally.strange).toEqual([]);
      expect(tally.ok).toBeGreaterThan(CLIENTS);
      expect(tally.ok + Object.values(tally.typed).reduce((a, b) => a + b, 0)).toBe(tally.asked);
      expect(watch.longestAboveMs).toBeLessThanOrEqual(MOST_MS);
    },
    FOR_MS + 60_000,
  );
});

it.each(['process', 'thread'])(
  'what an unloading freed is what /proc shows, and it went well (%s)',
  async (isolation) => {
    const { box, models } = await open(isolation, '');
    for (const mib of [60, 200]) {
      await models.ask(name(mib), 'x');
      const { pid } = await models.worker(name(mib));
      const pss = readProportional(pid)?.pssBytes as number;
      await models.act('unload', name(mib));
      const [decision] = await until(async () => {
        const found = await box.decisions((each) => each.subject === `${name(mib)}@v1` && freed(each));
        return found.length > 0 ? found : null;
      }, 'it to be measured');
      expect(readProportional(pid)).toBeNull();
      expect(pss).toBeGreaterThan(mib * MIB);
      expect(decision!.reason).toBe('what its unloading brought');
      expect(Math.abs((decision!.numbers.freed_bytes as number) - pss)).toBeLessThan(0.1 * pss);
    }
  },
);
