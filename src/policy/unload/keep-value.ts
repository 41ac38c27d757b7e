import { bestWindow } from '../keepalive/best-window.js';
import type { IdleHistory } from '../keepalive/idle-history.js';
import { leadMsOf } from '../keepalive/window.js';
import { EXCHANGE_EVERY_MS } from './exchange.js';
import { nextUseRate } from './next-use.js';

/** Who goes first, see `keepValue`. */
export type UnloadOrder = 'keep_value' | 'gdsf' | 'lru';

/** What is known of a model that somebody else wants to take the place of. */
export interface KeepFacts {
  history: IdleHistory;
  /** Since the end of its last request, whatever happened to it meanwhile; null before the first. */
  unusedMs: number | null;
  /** The same, or since it was loaded where no request came after that. */
  idleMs: number;
  wallMs: number;
  loadSeconds: number;
  mib: number;
  /** Requests since it was loaded. */
  uses: number;
  /** Of GDSF, as it was at its last use. */
  inflation: number;
}

/** With fewer idle times known, how often it was used tells more than they do. */
const LEAST_SAMPLES = 3;
const LEAST_KNOWN_MS = 1000;

/**
 * What is lost by unloading a model: the less, the sooner it goes. Comparable among models of one order only.
 *
 * - `keep_value`: cold seconds per MiB and second, use rate × load seconds ÷ MiB, by its own history. This is the price of memory up to which it would
 *   be worth keeping. In `bench -- unload-sim` it comes within a few per cent of one who knows each model's true rate, where
 *   the chance of a use within the next 15 min costs a quarter more: that is about 1 for all that is used often.
 * - `gdsf`: inflation + uses × load seconds ÷ MiB.
 * - `lru`: by its last use.
 */
export function keepValue(order: UnloadOrder, facts: KeepFacts): number {
  switch (order) {
    case 'keep_value':
      return useRate(facts, 0) * costPerMib(facts);
    case 'gdsf':
      return facts.inflation + facts.uses * costPerMib(facts);
    case 'lru':
      return -facts.idleMs;
  }
}

/** What is gained by loading a model now that nobody has asked for yet, in the unit of `keep_value`. */
export function loadValue(facts: KeepFacts): number {
  return useRate(facts, leadMsOf(facts.loadSeconds)) * costPerMib(facts);
}

/**
 * Whether it is time to load a model that nobody has asked for yet, where memory costs so many seconds per MiB and second: neither so early that
 * it mostly waits, nor after its use was to be expected. Of what is hardly known nothing is expected.
 */
export function isTimeToLoad({ history, unusedMs, wallMs, loadSeconds, mib }: KeepFacts, price: number): boolean {
  if (unusedMs === null || history.samples < LEAST_SAMPLES) return false;
  const { stretches, unseen } = history.forecast(idleFrom(wallMs, unusedMs));
  const { keepMs, prewarmMs } = bestWindow(
    stretches,
    unseen,
    loadSeconds * 1000,
    // What is known to the second would be due and over between two looks.
    leadMsOf(loadSeconds) + EXCHANGE_EVERY_MS,
    price * Math.max(1, mib),
  );
  return unusedMs < keepMs && unusedMs >= (prewarmMs ?? 0);
}

function costPerMib({ loadSeconds, mib }: KeepFacts): number {
  return (loadSeconds * 1000) / Math.max(1, mib);
}

/** Per ms. */
function useRate({ history, unusedMs, wallMs }: KeepFacts, leadMs: number): number {
  if (unusedMs === null) return 0;
  const { samples } = history;
  // A burst is one use: used once and idle ever since, it is taken to come again after as long as that.
  if (samples < LEAST_SAMPLES) return (samples + 1) / Math.max(LEAST_KNOWN_MS, history.knownMs(wallMs));
  return nextUseRate(history.forecast(idleFrom(wallMs, unusedMs)), unusedMs, leadMs);
}

/** To the second: the two clocks drift by less, and a forecast that was made for the same moment is not made again. */
function idleFrom(wallMs: number, unusedMs: number): number {
  return Math.round((wallMs - unusedMs) / 1000) * 1000;
}
