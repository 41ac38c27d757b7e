import { callsOf, type TracedModel } from '../models/calls.js';
import { type ModelOutcome, type Policy, race } from './race.js';

/** One model and all policies, as plain data: it can be run in another thread. */
export interface KeepaliveJob {
  model: TracedModel;
  days: number;
  warmUpMs: number;
  policies: Policy[];
}

export function runKeepaliveJob({ model, days, warmUpMs, policies }: KeepaliveJob): ModelOutcome {
  return race(model, callsOf(model, days), policies, warmUpMs);
}
