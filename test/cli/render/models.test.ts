import picocolors from 'picocolors';
import { describe, expect, it } from 'vitest';
import { appsTable } from '../../../src/cli/render/apps.js';
import { appDetails } from '../../../src/cli/render/details.js';
import type { ModelStatus } from '../../../src/master/supervisor.js';
import { modelStatus } from '../../support/model-reports.js';
import { appDetail, appRow } from '../support.js';

const plain = picocolors.createColors(false);
const coloured = picocolors.createColors(true);

const intents = (version: string, more: Parameters<typeof appRow>[0] = {}) =>
  appRow({ name: 'intents', kind: 'model', mode: 'process', version, ...more });

/** By the heads of the columns. */
function rows(apps: Parameters<typeof appsTable>[0], models: readonly ModelStatus[]): Record<string, string>[] {
  const [head, ...lines] = appsTable(apps, plain, models).split('\n');
  const heads = head!.trim().split(/ {2,}/);
  return lines.map((line) => {
    const cells = line.trim().split(/ {2,}/);
    return Object.fromEntries(heads.map((name, index) => [name, cells[index]!]));
  });
}

describe('the list', () => {
  it('marks the default version and tells of shares', () => {
    const shown = (...models: ModelStatus[]) =>
      rows(
        models.map(({ version }) => intents(version)),
        models,
      ).map((row) => row.version);
    expect(shown(modelStatus('v1'))).toEqual(['v1']);
    expect(shown(modelStatus('v1', { default: false, share: 0 }), modelStatus('v2'))).toEqual(['v1', 'v2*']);
    expect(shown(modelStatus('v1', { share: 0.9 }), modelStatus('v2', { default: false, share: 0.1 }))).toEqual([
      'v1* 90%',
      'v2 10%',
    ]);
    // Another model of the same version is no other version.
    expect(rows([intents('v1')], [modelStatus('v1'), modelStatus('v1', { name: 'other' })])[0]?.version).toBe('v1');
  });

  it.each<[Partial<ModelStatus>, string, string]>([
    [{ state: 'unloaded', idle_seconds: 185, keepalive: keep(900) }, 'unloaded', '3m 5s'],
    [{ state: 'unloaded', idle_seconds: null }, 'unloaded', '–'],
    [{ state: 'failed', idle_seconds: null }, 'failed', '–'],
    [{ state: 'loading', idle_seconds: null }, 'loading', '–'],
    [{ state: 'unloading', idle_seconds: 900 }, 'unloading', '15m'],
    [{ state: 'stopped', idle_seconds: 60 }, 'idle', '1m'],
  ])('shows %j of an idle app as %s, %s', (more, state, idle) => {
    const [row] = rows([intents('v1', { state: 'idle' })], [modelStatus('v1', more)]);
    expect([row?.state, row?.idle]).toEqual([state, idle]);
  });

  it('shows how long a loaded model is idle, and kept', () => {
    const of = (more: Partial<ModelStatus>) => rows([intents('v1')], [modelStatus('v1', more)])[0];
    expect(of({ idle_seconds: 185, keepalive: keep(900) })).toMatchObject({ state: 'online', idle: '3m 5s of 15m' });
    expect(of({ idle_seconds: 185, keepalive: keep(null) })).toMatchObject({ idle: '3m 5s' });
    expect(of({ idle_seconds: null, keepalive: keep(900) })).toMatchObject({ idle: '–' });
  });

  it('has a column for it only where there is a model', () => {
    expect(rows([appRow(), intents('v1')], [modelStatus('v1', { idle_seconds: 5 })]).map((row) => row.idle)).toEqual([
      '–',
      '5s',
    ]);
    expect(appsTable([appRow()], plain, [])).not.toContain('idle');
  });

  it('colours the states of models', () => {
    const text = appsTable([intents('v1', { state: 'idle' })], coloured, [modelStatus('v1', { state: 'failed' })]);
    expect(text).toContain('\u001b[31mfailed');
  });
});

describe('describe', () => {
  const text = (more: Parameters<typeof modelStatus>[1]) =>
    appDetails(appDetail({ version: 'v1', model: modelStatus('v1', more) }), plain);

  it('tells what a model serves, how long it is kept, and how its loads went', () => {
    const shown = text({
      share: 0.9,
      state: 'unloaded',
      reason: 'the next request loads it',
      idle_seconds: 185,
      keepalive: { keep_seconds: 900, prewarm_seconds: 1200, basis: 'learned', price: 1 },
      loads: {
        loads: 4,
        failures: 1,
        unloads: 3,
        cold_starts: 5,
        hits: 15,
        hit_rate: 0.75,
        mean_seconds: 1.5,
        last_seconds: 2,
        popularity: 7.5,
      },
      inputs: { requests: 20, model_errors: 2 },
      gpu_memory_bytes: 1024 ** 3,
    });
    expect(shown).toMatch(/model +unloaded: the next request loads it\n/);
    expect(shown).toMatch(/serves +the default version, 90% of the requests that name no version\n/);
    expect(shown).toMatch(/idle +3m 5s\n/);
    expect(shown).toMatch(/kept +15m after a request, loaded again after 20m \(learned from its use\)\n/);
    expect(shown).toMatch(/loads +4, 1 failed, 3 unloads; 1\.50s each, the last 2\.00s\n/);
    expect(shown).toMatch(/requests +20 inputs, 2 errors; popularity 7\.5\n/);
    expect(shown).toMatch(/warm +75%: 15 found it loaded, 5 waited\n/);
    expect(shown).toMatch(/gpu memory +1GiB\n/);
  });

  it('leaves out what is not known', () => {
    const shown = text({ default: false, share: 0 });
    expect(shown).toMatch(/model +ready\n/);
    expect(shown).toMatch(/serves +0\.0% of the requests that name no version\n/);
    expect(shown).toMatch(/kept +for ever\n/);
    expect(shown).toMatch(/loads +0, 0 failed, 0 unloads\n/);
    expect(shown).toMatch(/warm +–\n/);
    expect(shown).not.toContain('gpu memory');
  });
});

function keep(seconds: number | null): ModelStatus['keepalive'] {
  return { keep_seconds: seconds, prewarm_seconds: null, basis: 'strategy', price: 1 };
}
