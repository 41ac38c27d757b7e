import { IdleHistory, priceOf } from '../../../src/policy/keepalive.js';
import { type LoadedModel, leastThatMakeUp } from '../../../src/policy/load/victims.js';
import { decideExchanges, EXCHANGE_EVERY_MS, type Newcomer } from '../../../src/policy/unload/exchange.js';
import { isTimeToLoad, type KeepFacts, keepValue, loadValue } from '../../../src/policy/unload/keep-value.js';
import { REGRET_MS } from '../../../src/policy/unload/patience.js';
import type { Box, Contender, Slot } from './box.js';

/** A Monday: traces begin on one. */
const EPOCH_MS = Date.UTC(2024, 0, 1);
const MB = 1e6;
const MIB = 2 ** 20;
const LEAST_PRICE = priceOf('balanced', null);

/** What we know of the models of a box. */
class Knowledge {
  readonly #histories: readonly IdleHistory[];

  constructor(
    box: Box,
    private readonly minResidencyMs: number,
  ) {
    this.#histories = box.slots.map(() => new IdleHistory());
  }

  used({ index }: Slot, idleMs: number | null, now: number): void {
    this.#histories[index]!.used(idleMs, EPOCH_MS + now);
  }

  facts({ index, mb, loadMs, busyUntil, readyAt }: Slot, now: number): KeepFacts {
    return {
      history: this.#histories[index]!,
      unusedMs: busyUntil === null ? null : Math.max(0, now - busyUntil),
      idleMs: now - Math.max(busyUntil ?? 0, readyAt),
      wallMs: EPOCH_MS + now,
      loadSeconds: loadMs / 1000,
      mib: (mb * MB) / MIB,
      uses: 0,
      inflation: 0,
    };
  }

  seen(slot: Slot, now: number): LoadedModel {
    return {
      name: String(slot.index),
      size: sizeOf(slot),
      onDemand: true,
      kept: false,
      evict: false,
      idle: true,
      keepValue: keepValue('keep_value', this.facts(slot, now)),
      standby: false,
      youngForMs: Math.max(0, slot.readyAt + this.minResidencyMs - now),
      required: false,
      neededBy: [],
      follows: false,
    };
  }

  newcomer(slot: Slot, now: number): Newcomer {
    const facts = this.facts(slot, now);
    return {
      name: String(slot.index),
      size: sizeOf(slot),
      loadValue: loadValue(facts),
      isTime: (price) => isTimeToLoad(facts, price),
    };
  }
}

/** By the product's keep value, and loaded on demand. Where the product would refuse a load because all others are too young, these go here, which is counted. */
export function oursOnDemand(box: Box, minResidencyMs: number): Contender {
  return onDemand(box, new Knowledge(box, minResidencyMs));
}

function onDemand(box: Box, knowledge: Knowledge): Contender {
  return {
    used: (slot, idleMs, now) => knowledge.used(slot, idleMs, now),
    victims: (lackMb, idle, now) => {
      const lack = { places: 0, bytes: lackMb * MB, gpuBytes: 0 };
      const seen = idle.map((slot) => knowledge.seen(slot, now));
      const old = leastThatMakeUp(
        lack,
        seen.filter(({ youngForMs }) => youngForMs === 0),
      );
      if (old === null) box.tooYoung();
      return (old ?? leastThatMakeUp(lack, seen))?.map(({ name }) => box.slots[Number(name)]!) ?? null;
    },
  };
}

/** The same, and what is likely to be used soon takes the place of what is worth less. */
export function oursAhead(box: Box, minResidencyMs: number): Contender {
  const knowledge = new Knowledge(box, minResidencyMs);
  return {
    ...onDemand(box, knowledge),
    tick: (now) => {
      if (now % EXCHANGE_EVERY_MS !== 0) return;
      const isNewcomer = ({ loaded, waits, unloadedAt, busyUntil }: Slot) =>
        !loaded && waits === null && busyUntil !== null && now - unloadedAt >= REGRET_MS;
      const idle = box.slots.filter((slot) => box.isIdle(slot)).map((slot) => knowledge.seen(slot, now));
      const exchanges = decideExchanges({
        newcomers: box.slots.filter(isNewcomer).map((slot) => knowledge.newcomer(slot, now)),
        candidates: idle.filter(({ youngForMs }) => youngForMs === 0),
        room: { bytes: box.freeMb * MB, gpuBytes: null },
        places: Number.POSITIVE_INFINITY,
        leastPrice: LEAST_PRICE,
      });
      for (const { load, unload } of exchanges) {
        for (const name of unload) box.unloadEarly(box.slots[Number(name)]!);
        box.prewarm(box.slots[Number(load)]!);
      }
    },
  };
}

function sizeOf({ mb }: Slot): LoadedModel['size'] {
  return { bytes: mb * MB, gpuBytes: null };
}
