import type { InputCounts, LoadCounts, ModelStatus } from '../master/model-status.js';
import { History } from './history.js';

const INPUT_KEYS = [
  'requests',
  'succeeded',
  'model_errors',
  'expired',
  'cancelled',
  'refused',
  'lost',
  'batches',
  'compute_ms',
  'queue_ms',
] as const satisfies readonly (keyof InputCounts)[];
const LOAD_KEYS = [
  'loads',
  'unloads',
  'failures',
  'cold_starts',
  'hits',
  'total_seconds',
] as const satisfies readonly (keyof LoadCounts)[];
const KEYS = [...INPUT_KEYS, ...LOAD_KEYS, 'scale_ups', 'scale_downs'] as const;

type Key = (typeof KEYS)[number];

/** What a history needs of a model version. */
export interface ModelCounts extends Pick<ModelStatus, 'name' | 'version' | 'loads' | 'inputs'> {
  instances: Pick<ModelStatus['instances'], 'target' | 'min'>;
}

/** What all models together were asked for and did within a window. */
export interface ModelWindow extends Record<Key, number> {
  window_seconds: number;
  /** What the counts are of: less while the master is younger than the window, and up to a tick more. */
  observed_seconds: number;
}

export const LONGEST_WINDOW_SECONDS = 3600;

/** How often a model's wanted number of workers went up and down, as far as ticks can see it. */
interface Turns {
  target: number;
  ups: number;
  downs: number;
}

/** What models were asked for and did in the last hour, from their statuses at each tick. */
export class ModelHistory {
  readonly #history: History<Key>;
  #turns = new Map<string, Turns>();

  constructor(startedAt: number) {
    this.#history = new History(KEYS, startedAt, { longestMs: LONGEST_WINDOW_SECONDS * 1000 });
  }

  tick(models: readonly ModelCounts[], now: number): void {
    const turns = new Map<string, Turns>();
    const counters = new Map<string, Record<Key, number>>();
    for (const model of models) {
      const subject = `${model.name}@${model.version}`;
      // While an app takes over from another one there are two: the first is the one that serves.
      if (counters.has(subject)) continue;
      const turn = turnOf(this.#turns.get(subject), model.instances);
      turns.set(subject, turn);
      counters.set(subject, { ...model.inputs, ...model.loads, scale_ups: turn.ups, scale_downs: turn.downs });
    }
    this.#turns = turns;
    this.#history.add(now, counters);
  }

  over(windowSeconds: number, now: number): ModelWindow {
    const { spanMs, counts } = this.#history.over(windowSeconds * 1000, now);
    return { window_seconds: windowSeconds, observed_seconds: spanMs / 1000, ...counts };
  }
}

/** A model begins at its least size: what it has beyond that when it is seen first was one step up. */
function turnOf(before: Turns | undefined, { target, min }: ModelCounts['instances']): Turns {
  const { ups, downs, target: from } = before ?? { target: min, ups: 0, downs: 0 };
  return { target, ups: ups + (target > from ? 1 : 0), downs: downs + (before && target < from ? 1 : 0) };
}
