import { Random } from '../random.js';
import type { ModelShape } from './shape.js';

/** One model of a trace, as plain data. */
export interface TracedModel extends ModelShape {
  calls: TimerCalls | RandomCalls | RecordedCalls;
}

/** At a random moment of one minute of each period. */
export interface TimerCalls {
  kind: 'timer';
  periodMinutes: number;
  phaseMinutes: number;
}

/** Poisson, at a rate that follows the time of day and the week. */
export interface RandomCalls {
  kind: 'random';
  /** Mean over a week. */
  perDay: number;
  /** From 0, the same at all hours, to 1, none in the quietest. */
  dailyDepth: number;
  peakHour: number;
  /** Calls of a day of the weekend, relative to a working day. */
  weekend: number;
}

/** Minutes with calls, ascending, and how many; at random moments of their minute. */
export interface RecordedCalls {
  kind: 'recorded';
  minutes: Uint32Array;
  counts: Uint32Array;
}

/** Calls of one model within a day, in order. Valid until the next day is asked for. */
export interface Calls {
  count: number;
  /** Ms since the beginning of the trace, which is a Monday. */
  at: Float64Array;
  /** How long each takes. */
  ms: Float64Array;
}

export const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const STEP_MS = 600_000;
const STEPS_A_DAY = DAY_MS / STEP_MS;
const WEEK_DAYS = 7;
const WORKING_DAYS = 5;
/** Of one model's execution times, around its median (log-normal). */
const LOG_DEVIATION = 0.5;
const TIMES = 1024;

/** Day after day, the same for the same seed. */
export function* callsOf(model: TracedModel, days: number): Generator<Calls> {
  const random = new Random(model.seed);
  const list = new CallList(model.medianMs, random);
  const add = adding(model.calls, random, list);
  for (let day = 0; day < days; day++) {
    list.clear();
    add(day);
    yield list.calls();
  }
}

type AddDay = (day: number) => void;

function adding(calls: TracedModel['calls'], random: Random, list: CallList): AddDay {
  switch (calls.kind) {
    case 'timer':
      return timer(calls, random, list);
    case 'random':
      return poisson(calls, random, list);
    case 'recorded':
      return recorded(calls, random, list);
  }
}

function timer({ periodMinutes, phaseMinutes }: TimerCalls, random: Random, list: CallList): AddDay {
  let minute = phaseMinutes;
  return (day) => {
    for (; minute * MINUTE_MS < (day + 1) * DAY_MS; minute += periodMinutes)
      list.add((minute + random.next()) * MINUTE_MS);
  };
}

/** The rate is constant for ten minutes at a time. */
function poisson(calls: RandomCalls, random: Random, list: CallList): AddDay {
  const { perDay, weekend, dailyDepth, peakHour } = calls;
  const profile = Float64Array.from({ length: STEPS_A_DAY }, (_, step) => {
    const hour = ((step + 0.5) * 24) / STEPS_A_DAY;
    return 1 + dailyDepth * Math.cos((2 * Math.PI * (hour - peakHour)) / 24);
  });
  const perMs = (perDay * WEEK_DAYS) / (WORKING_DAYS + (WEEK_DAYS - WORKING_DAYS) * weekend) / DAY_MS;
  // Calls of unit rate, stretched by what the rate has come to by then.
  let left = random.exponential(1);
  return (day) => {
    const ofDay = perMs * (day % WEEK_DAYS < WORKING_DAYS ? 1 : weekend);
    for (let step = 0; step < STEPS_A_DAY; step++) {
      const rate = ofDay * profile[step]!;
      const from = day * DAY_MS + step * STEP_MS;
      let position = 0;
      while (rate * (STEP_MS - position) > left) {
        position += left / rate;
        list.add(from + position);
        left = random.exponential(1);
      }
      left -= rate * (STEP_MS - position);
    }
  };
}

function recorded({ minutes, counts }: RecordedCalls, random: Random, list: CallList): AddDay {
  let next = 0;
  return (day) => {
    for (; next < minutes.length && minutes[next]! * MINUTE_MS < (day + 1) * DAY_MS; next++) {
      const within = Float64Array.from({ length: counts[next]! }, () => random.next()).sort();
      for (const position of within) list.add((minutes[next]! + position) * MINUTE_MS);
    }
  };
}

/** Grows as it needs to. Execution times come from a sample that is drawn once. */
class CallList {
  #at = new Float64Array(4096);
  #ms = new Float64Array(4096);
  #count = 0;
  readonly #times: Float64Array;

  constructor(
    medianMs: number,
    private readonly random: Random,
  ) {
    this.#times = Float64Array.from({ length: TIMES }, () => medianMs * Math.exp(LOG_DEVIATION * random.normal()));
  }

  clear(): void {
    this.#count = 0;
  }

  add(at: number): void {
    if (this.#count === this.#at.length) {
      this.#at = doubled(this.#at);
      this.#ms = doubled(this.#ms);
    }
    this.#at[this.#count] = at;
    this.#ms[this.#count++] = this.#times[Math.floor(this.random.next() * TIMES)]!;
  }

  calls(): Calls {
    return { count: this.#count, at: this.#at, ms: this.#ms };
  }
}

function doubled(list: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(list.length * 2);
  larger.set(list);
  return larger;
}
