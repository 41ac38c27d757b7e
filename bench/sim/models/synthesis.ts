import { Random } from '../random.js';
import type { RandomCalls, TimerCalls, TracedModel } from './calls.js';
import { drawnShape } from './shape.js';

/**
 * Classes of models by calls a day, with the shares that "Serverless in the Wild" (Shahrad et al., ATC 2020) gives for the apps of the
 * Azure Functions trace: 45 % are called once an hour at most, 36 % up to once a minute, 19 % more often, and nearly all calls are theirs.
 * Within a class rates are log-uniform. Below 0.1 calls an hour nothing can be learned within a week, whoever tries.
 */
const CLASSES = [
  { share: 0.45, leastPerDay: 2.4, mostPerDay: 24, timers: [60, 60, 60, 120, 360, 720, 1440, 1440] },
  { share: 0.36, leastPerDay: 24, mostPerDay: 1440, timers: [1, 5, 5, 5, 5, 10, 10, 10, 15, 15, 15, 30] },
  { share: 0.19, leastPerDay: 1440, mostPerDay: 28_800, timers: [] },
];
/** Of all models 16 % are timers: so many in each class. */
const TIMER_SHARES = [0.04, 0.12, 0];

export function synthesizeModels(count: number, seed: number): TracedModel[] {
  const random = new Random(seed);
  let left = count;
  return CLASSES.flatMap(({ share, leastPerDay, mostPerDay, timers }, which) => {
    const models = which === CLASSES.length - 1 ? left : Math.round(share * count);
    left -= models;
    const timed = Math.round(TIMER_SHARES[which]! * count);
    const timer = (i: number) => timerCalls(timers[i % timers.length]!, random);
    // Spread over the class, so that no seed has all of its models at one end.
    const caller = (i: number) =>
      randomCalls(leastPerDay * (mostPerDay / leastPerDay) ** ((i + random.next()) / (models - timed)), random);
    return Array.from({ length: models }, (_, i): TracedModel => {
      const calls = i < timed ? timer(i) : caller(i - timed);
      return { ...drawnShape(`${calls.kind}-${which}-${i}`, random), calls };
    });
  });
}

function timerCalls(periodMinutes: number, random: Random): TimerCalls {
  return { kind: 'timer', periodMinutes, phaseMinutes: Math.floor(random.next() * periodMinutes) };
}

/** Busiest in the early afternoon for most, with weekends of 40 to 100 % of a working day. */
function randomCalls(perDay: number, random: Random): RandomCalls {
  return {
    kind: 'random',
    perDay,
    dailyDepth: 0.2 + 0.7 * random.next(),
    peakHour: 14 + 2.5 * random.normal(),
    weekend: 0.4 + 0.6 * random.next(),
  };
}
