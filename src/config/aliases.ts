/** The names of settings that users bring from elsewhere, and what they set here. */
import * as read from './alias-readers.js';
import { type Draft, type Environment, isMap, set } from './draft.js';
import { kindOf } from './kind.js';
import type { Report } from './report.js';

type RawApp = Readonly<Record<string, unknown>>;

interface Alias {
  key: readonly string[];
  read: read.Reader;
  /** For keys of apps: why one cannot take it, empty where nobody needs to be told, or null if it can. Without it, the key is one of the file. */
  unfit?(app: RawApp): string | null;
}

/** What each foreign name sets, and the unit of a bare number; for a key of apps, which can take it. A later row wins over an earlier one. */
const ALIASES: readonly (readonly [name: string, alias: Alias])[] = [
  ['MAX_USERS_PER_PROCESS', { key: ['recycle', 'max_users'], read: read.number, unfit: whyNoUsers }],
  ['PROCESS_RECYCLE_INTERVAL', { key: ['recycle', 'max_age'], read: read.inUnit('h'), unfit: () => null }],
  ['MAX_MEMORY_USAGE', { key: ['pressure', 'recycle'], read: read.fraction }],
  ['CRITICAL_MEMORY_USAGE', { key: ['pressure', 'emergency'], read: read.fraction }],
  ['monitoring_interval_seconds', { key: ['sensing', 'interval'], read: read.inUnit('s') }],
  ['moderate_mb', { key: ['pressure', 'medium'], read: read.inUnit('MB') }],
  ['high_mb', { key: ['pressure', 'high'], read: read.inUnit('MB') }],
  ['critical_mb', { key: ['pressure', 'critical'], read: read.inUnit('MB') }],
  ['moderate_percent', { key: ['cpu', 'moderate'], read: read.inUnit('%') }],
  ['high_percent', { key: ['cpu', 'high'], read: read.inUnit('%') }],
  ['critical_percent', { key: ['cpu', 'critical'], read: read.inUnit('%') }],
  ['min_threads', { key: ['workers', 'min'], read: read.number, unfit: whyNoRange }],
  ['max_threads', { key: ['workers', 'max'], read: read.number, unfit: whyNoRange }],
  ['min_instances_per_model', { key: ['workers', 'min'], read: read.number, unfit: ofModels(whyNoRange) }],
  ['max_instances_per_model', { key: ['workers', 'max'], read: read.number, unfit: ofModels(whyNoRange) }],
  // After the bounds: it is for models of which nothing else says how many workers they have.
  ['default_instances_per_model', { key: ['workers'], read: read.number, unfit: ofModels(silentIfSized) }],
  // After them all: it closes the range that they may have opened.
  ['adaptive_scaling_enabled', { key: ['workers', 'max'], read: read.offIsMin, unfit: withoutAWord(whyNoRange) }],
  // After the sizes, which decide who may be without a worker.
  ['scale_to_zero_delay', { key: ['scale', 'to_zero_after'], read: read.inUnit('s'), unfit: ofModels(whyNeverZero) }],
  ['enable_zero_scaling', { key: ['unloading', 'enabled'], read: read.flag }],
  ['max_loaded_models', { key: ['models', 'max_loaded'], read: read.number }],
  ['model_ttl_seconds', { key: ['models', 'ttl'], read: read.inUnit('s') }],
  ['concurrent_loads', { key: ['models', 'concurrent_loads'], read: read.number }],
  ['prefetch_popular_models', { key: ['models', 'preload_popular'], read: read.flag }],
  ['preload_popular_models', { key: ['models', 'preload_popular'], read: read.flag }],
  ['popularity_threshold', { key: ['models', 'popularity_threshold'], read: read.number }],
  ['loading_strategy', { key: ['models', 'cold_start'], read: read.word }],
  ['cold_start_strategy', { key: ['models', 'cold_start'], read: read.word }],
  // After the strategies: without loading on demand, everything is loaded at the start.
  ['enable_dynamic_loading', { key: ['models', 'cold_start'], read: read.offIs('eager') }],
  ['cold_start_timeout', { key: ['models', 'cold_start_timeout'], read: read.inUnit('s') }],
  ['enable_predictive_scaling', { key: ['models', 'predictive', 'enabled'], read: read.flag }],
  ['learning_window_hours', { key: ['models', 'predictive', 'window'], read: read.inUnit('h') }],
  ['prediction_horizon_minutes', { key: ['models', 'predictive', 'horizon'], read: read.inUnit('m') }],
  ['load_balancing_strategy', { key: ['routing', 'strategy'], read: read.word, unfit: ofModels() }],
  ['load_timeout_seconds', { key: ['ready', 'timeout'], read: read.inUnit('s'), unfit: ofModels() }],
  // After it: loading and warming up share one deadline, which is never the shorter of the two.
  ['warmup_timeout', { key: ['ready', 'timeout'], read: read.atLeastReadyTimeout, unfit: ofModels() }],
  ['warmup_timeout_seconds', { key: ['ready', 'timeout'], read: read.atLeastReadyTimeout, unfit: ofModels() }],
  ['health_check_interval_seconds', { key: ['health', 'interval'], read: read.inUnit('s'), unfit: ofModels() }],
  ['max_consecutive_failures', { key: ['health', 'failures'], read: read.number, unfit: ofModels() }],
  // One wait there, two here: for a worker that fails, and for a model that does not load.
  ['failure_cooldown_seconds', { key: ['health', 'cooldown'], read: read.inUnit('s'), unfit: ofModels() }],
  ['failure_cooldown_seconds', { key: ['models', 'failure_cooldown'], read: read.inUnit('s') }],
  ['lazy_loading_unloading_enabled', { key: ['unloading', 'enabled'], read: read.flag }],
  ['lazy_loading_unloading_strategy', { key: ['unloading', 'strategy'], read: read.word }],
  ['lazy_loading_unloading_check_interval', { key: ['unloading', 'check_interval'], read: read.inUnit('s') }],
  ['lazy_loading_unloading_aggressive_timeout', { key: ['unloading', 'aggressive'], read: read.inUnit('s') }],
  ['lazy_loading_unloading_balanced_timeout', { key: ['unloading', 'balanced'], read: read.inUnit('s') }],
  ['lazy_loading_unloading_conservative_timeout', { key: ['unloading', 'conservative'], read: read.inUnit('s') }],
  [
    'lazy_loading_unloading_memory_pressure_threshold',
    { key: ['unloading', 'pressure_threshold'], read: read.fraction },
  ],
  [
    'lazy_loading_unloading_memory_pressure_timeout',
    { key: ['unloading', 'pressure_timeout'], read: read.inUnit('s') },
  ],
  ['lazy_loading_unloading_enable_memory_pressure_unloading', { key: ['unloading', 'by_pressure'], read: read.flag }],
  ['lazy_loading_unloading_enable_usage_pattern_unloading', { key: ['unloading', 'by_pattern'], read: read.flag }],
  ['lazy_loading_unloading_enable_user_preference_unloading', { key: ['unloading', 'by_preference'], read: read.flag }],
  ['lazy_loading_unloading_enable_adaptive_unloading', { key: ['unloading', 'adaptive'], read: read.flag }],
  ['lazy_loading_unloading_performance_impact_tracking', { key: ['unloading', 'track_impact'], read: read.flag }],
  ['lazy_loading_unloading_max_unloads_per_cycle', { key: ['unloading', 'max_per_cycle'], read: read.number }],
  [
    'lazy_loading_unloading_min_memory_savings_threshold',
    { key: ['unloading', 'min_savings'], read: read.inUnit('B') },
  ],
];

export const ALIAS_NAMES: readonly string[] = [...new Set(ALIASES.map(([name]) => name))];

/** Where in an app, or in the file, a foreign name's key stands; null for any other word. */
export function keyOfAlias(name: string): { scope: 'app' | 'file'; key: string } | null {
  const alias = ALIASES.find(([known]) => known === name || known.toUpperCase() === name)?.[1];
  return alias ? { scope: alias.unfit ? 'app' : 'file', key: alias.key.join('.') } : null;
}

/** Lays foreign names over the values of a file. They are known as they are written above, and in upper case. */
export function applyAliases(draft: Draft, env: Environment, report: Report): void {
  for (const [known, alias] of ALIASES) {
    const name = [known, known.toUpperCase()].find((spelling) => env[spelling]?.trim());
    const text = name && env[name]?.trim();
    if (name && text) applyAlias(draft, name, alias, text, report);
  }
}

function applyAlias(draft: Draft, name: string, { key, read, unfit }: Alias, text: string, report: Report): void {
  const write = (path: readonly string[], app: RawApp) => {
    const reading = read(text, app);
    if (reading === null) return;
    if ('problem' in reading) report.variableProblem(name, reading.problem);
    else set(draft, path, reading.value, { kind: 'environment', variable: name });
  };
  if (unfit === undefined) {
    write(key, {});
    return;
  }
  for (const [app, keys] of appsOf(draft)) {
    const reason = unfit(keys);
    if (reason === null) write(['apps', app, ...key], keys);
    else if (reason !== '') report.variableWarning(name, `does not apply to apps.${app}: ${reason}`);
  }
}

function appsOf({ value: { apps } }: Draft): [name: string, keys: RawApp][] {
  return isMap(apps) ? Object.entries(apps).flatMap(([name, keys]) => (isMap(keys) ? [[name, keys]] : [])) : [];
}

function whyNoUsers(app: RawApp): string | null {
  const kind = kindOf(app);
  if (kind === 'model') return null;
  if (kind !== 'http') return '';
  const hasKey = isMap(app.recycle) && app.recycle.user_key !== undefined && app.recycle.user_key !== null;
  return hasKey ? null : 'it has no `recycle.user_key` that would tell users apart';
}

/** For what then has nothing to switch off. */
function withoutAWord(why: (app: RawApp) => string | null): (app: RawApp) => string | null {
  return (app) => (why(app) === null ? null : '');
}

function ofModels(why: (app: RawApp) => string | null = () => null): (app: RawApp) => string | null {
  return (app) => (kindOf(app) === 'model' ? why(app) : '');
}

function whyNoRange(app: RawApp): string | null {
  const kind = kindOf(app);
  if (kind !== 'model' && kind !== 'http') return '';
  return app.workers === undefined || isMap(app.workers) ? null : 'its `workers` is a fixed size';
}

function silentIfSized({ workers }: RawApp): string | null {
  return workers === undefined ? null : '';
}

function whyNeverZero({ workers }: RawApp): string | null {
  return isMap(workers) && workers.min === 0 ? null : 'its `workers.min` is not 0';
}
