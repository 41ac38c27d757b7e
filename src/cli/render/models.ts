/** What is shown of models beside what they have in common with other apps. */
import type { AppRow, ModelStatus } from '../../master/supervisor.js';
import type { Cell } from './table.js';
import { bytes, formatAge, NOTHING, share } from './values.js';

const STATE_COLOURS = { unloaded: 'green', loading: 'yellow', unloading: 'yellow', failed: 'red' } as const;

export type Statuses = ReadonlyMap<string, ModelStatus>;

export function statusesOf(models: readonly ModelStatus[]): Statuses {
  return new Map(models.map((model) => [keyOf(model), model]));
}

export function statusOf(row: AppRow, models: Statuses): ModelStatus | null {
  return models.get(keyOf(row)) ?? null;
}

/** `v1`; where there are several, `v1*` for the default one, with its share of the requests that name none where it is not all of them. */
export function versionText({ version }: AppRow, model: ModelStatus | null, models: Statuses): string {
  if (version === null) return NOTHING;
  const several = model !== null && [...models.values()].filter(({ name }) => name === model.name).length > 1;
  if (!several) return version;
  const part = model.share > 0 && model.share < 1 ? ` ${share(model.share)}` : '';
  return `${version}${model.default ? '*' : ''}${part}`;
}

/** What an app of any kind has no word for; null where its own state says it. */
export function stateCell(row: AppRow, model: ModelStatus | null): Cell | null {
  if (model === null || (row.state !== 'idle' && row.state !== 'starting')) return null;
  const { state } = model;
  return state === 'ready' || state === 'stopped' ? null : { text: state, colour: STATE_COLOURS[state] };
}

/** `3m of 15m`: without a request for so long, and kept for so long. */
export function idleText(model: ModelStatus | null): string {
  if (model === null || model.idle_seconds === null) return NOTHING;
  const keep = model.state === 'ready' ? (model.keepalive?.keep_seconds ?? null) : null;
  return keep === null ? formatAge(model.idle_seconds) : `${formatAge(model.idle_seconds)} of ${formatAge(keep)}`;
}

const BASES = {
  to_zero_after: 'scale.to_zero_after',
  learned: 'learned from its use',
  seasonal: 'learned from its use at this time of day',
  strategy: 'unloading.strategy',
  ttl: 'models.ttl',
  evict: 'its preference is evict',
} as const;

/** Lines of `describe`. */
export function modelFacts(model: ModelStatus): [string, string][] {
  const { loads, inputs } = model;
  return [
    ['model', model.reason === null ? model.state : `${model.state}: ${model.reason}`],
    ['serves', servesText(model)],
    ['idle', model.idle_seconds === null ? NOTHING : formatAge(model.idle_seconds)],
    ['kept', keptText(model)],
    ['loads', loadsText(model)],
    ['requests', `${inputs.requests} inputs, ${inputs.model_errors} errors; popularity ${loads.popularity}`],
    [
      'warm',
      loads.hit_rate === null
        ? NOTHING
        : `${share(loads.hit_rate)}: ${loads.hits} found it loaded, ${loads.cold_starts} waited`,
    ],
    ...(model.gpu_memory_bytes === null ? [] : [['gpu memory', bytes(model.gpu_memory_bytes)] as [string, string]]),
  ];
}

function servesText(model: ModelStatus): string {
  const part = `${share(model.share)} of the requests that name no version`;
  return model.default ? `the default version, ${part}` : part;
}

function keptText({ keepalive }: ModelStatus): string {
  if (keepalive === null) return 'for ever';
  const { keep_seconds: keep, prewarm_seconds: again, basis } = keepalive;
  if (keep === null && basis === 'strategy') return 'as long as its strategy says (a plug-in’s)';
  const kept = keep === null ? 'for ever' : `${formatAge(keep)} after a request`;
  return `${kept}${again === null ? '' : `, loaded again after ${formatAge(again)}`} (${BASES[basis]})`;
}

function loadsText({ loads }: ModelStatus): string {
  const counts = `${loads.loads}, ${loads.failures} failed, ${loads.unloads} unloads`;
  if (loads.mean_seconds === null || loads.last_seconds === null) return counts;
  return `${counts}; ${loads.mean_seconds.toFixed(2)}s each, the last ${loads.last_seconds.toFixed(2)}s`;
}

function keyOf({ name, version }: { name: string; version: string | null }): string {
  return `${name}@${version}`;
}
