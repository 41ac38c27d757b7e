import type { KeepaliveSettings } from '../keepalive/settings.js';
import { DAY_MS } from './calls.js';
import { type Recording, readMinutes } from './minutes-csv.js';
import { synthesizeModels } from './synthesis.js';

/** The calls that are asked for: of files, or made up. */
export async function recordingOf({ traces, days, models, seed }: KeepaliveSettings): Promise<Recording> {
  if (traces.length > 0) return await readMinutes(traces, models, seed);
  return { models: synthesizeModels(models ?? 0, seed), days };
}

/** All learn on the first day, and it isn't counted; of a recording of a day or two, on its first quarter. */
export function warmUpMs(days: number): number {
  return days > 2 ? DAY_MS : (days * DAY_MS) / 4;
}
