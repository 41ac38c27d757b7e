import { type Contender, clamp, type Limits, type RuleFacts } from './rule.js';

const BUSY_MAX = 0.5;
const BUSY_MIN = 0.25;
const MULTIPLIER = 10;
const PENALTY = 2;
const BACKLOG_ALERT = 33;
const BACKLOG_MULTIPLIER = 3;
/** Cycles between the limits in a row after which idle cycles are counted anew. */
const TOLERATED = 3;

/**
 * uWSGI's busyness rule: once a cycle (`cheaper-overload`) one worker more where mean busyness was above 50 %; one less after
 * 10 cycles below 25 %; a respawn too soon after makes that 2 cycles more; a listen queue above 33 starts an emergency worker at once.
 * Sources: https://uwsgi-docs.readthedocs.io/en/latest/Cheaper.html and unbit/uwsgi, plugins/cheaper_busyness/cheaper_busyness.c.
 */
export function uwsgi(limits: Limits, cycleMs = 3000): Contender {
  return { name: 'uwsgi', first: limits.min, create: () => rule(limits, cycleMs) };
}

function rule(limits: Limits, cycleMs: number) {
  let cycleAt = 0;
  let workedMs = 0;
  let readyMs = 0;
  let multiplier = MULTIPLIER;
  let shrinkAt = cycleMs * MULTIPLIER;
  let shrankAt = Number.NEGATIVE_INFINITY;
  let lastShrank = false;
  let between = 0;
  let emergencies = 0;
  const decay = () => {
    multiplier = Math.max(MULTIPLIER, multiplier - 1);
  };
  const wait = (now: number) => {
    shrinkAt = now + cycleMs * (emergencies > 0 ? BACKLOG_MULTIPLIER : multiplier);
  };
  const emergency = (now: number, size: number) => {
    multiplier = MULTIPLIER;
    lastShrank = false;
    emergencies++;
    wait(now);
    return clamp(size + 1, limits);
  };
  return ({ now, desired, tick }: RuleFacts) => {
    workedMs += tick.workedMs;
    readyMs += tick.readyMs;
    const alarmed = tick.queued > BACKLOG_ALERT && desired < limits.max;
    if (now - cycleAt < cycleMs || readyMs === 0) return alarmed ? emergency(now, desired) : desired;
    cycleAt = now;
    const busyness = workedMs / readyMs;
    workedMs = 0;
    readyMs = 0;

    if (busyness > BUSY_MAX) {
      between = 0;
      if (desired >= limits.max) return desired;
      lastShrank = false;
      if (now - shrankAt <= multiplier * cycleMs) multiplier += PENALTY;
      else decay();
      wait(now);
      return desired + 1;
    }
    if (alarmed) return emergency(now, desired);
    if (desired === 1) return desired;
    if (busyness < BUSY_MIN) {
      between = 0;
      if (desired <= limits.min || now < shrinkAt) return desired;
      if (lastShrank) decay();
      wait(now);
      shrankAt = now;
      lastShrank = true;
      emergencies = Math.max(0, emergencies - 1);
      return desired - 1;
    }
    emergencies = Math.max(0, emergencies - 1);
    if (++between >= TOLERATED) wait(now);
    else shrinkAt += cycleMs;
    return desired;
  };
}
