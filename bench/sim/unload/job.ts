import type { TracedModel } from '../models/calls.js';
import { Box, type Contender, type Tally } from './box.js';
import { oursAhead, oursOnDemand } from './ours.js';
import { Requests } from './requests.js';
import { clairvoyant, gdsf, lru, lruWithTtl, type Sight } from './rivals.js';

export type UnloadPolicy =
  | { kind: 'ours' | 'ours_on_demand'; minResidencyMs: number }
  | { kind: 'lru' | 'gdsf' }
  | { kind: 'lru_ttl'; minutes: number }
  | { kind: 'clairvoyant'; sight: Sight };

/** All models and one policy, as plain data: it can be run in another thread. */
export interface UnloadJob {
  models: readonly TracedModel[];
  days: number;
  warmUpMs: number;
  budgetMb: number;
  policy: UnloadPolicy;
}

export function runUnloadJob({ models, days, warmUpMs, budgetMb, policy }: UnloadJob): Tally {
  const box = new Box(models, budgetMb, warmUpMs);
  const requests = new Requests(models, days);
  box.play(requests, contenderFor(policy, box, requests));
  return box.tally;
}

function contenderFor(policy: UnloadPolicy, box: Box, requests: Requests): Contender {
  switch (policy.kind) {
    case 'ours':
      return oursAhead(box, policy.minResidencyMs);
    case 'ours_on_demand':
      return oursOnDemand(box, policy.minResidencyMs);
    case 'lru':
      return lru();
    case 'lru_ttl':
      return lruWithTtl(box, policy.minutes * 60_000);
    case 'gdsf':
      return gdsf(box);
    case 'clairvoyant':
      return clairvoyant(requests, policy.sight);
  }
}
