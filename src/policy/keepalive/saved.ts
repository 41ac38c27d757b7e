import { z } from 'zod';

const number = z.number();
const count = z.object({ first: number.nullable(), at: number, count: number.min(0) });
const bins = z.array(z.tuple([number, number, number, number]));

/** What an IdleHistory leaves behind, so that a restart forgets nothing. */
const schema = z.object({
  version: z.literal(1),
  samples: number.int().min(0),
  decayed_at: number,
  popularity: count,
  calls: count,
  idle: bins,
  seasonal: bins,
  season_score: number,
  season: z
    .object({
      first: number,
      last: number,
      present: number.min(0),
      waves: z.array(number),
      watched_ms: number.min(0),
      watched: z.array(number),
      days: z.array(number),
      days_watched_ms: z.array(number),
    })
    .nullable(),
});

export type SavedHistory = z.infer<typeof schema>;

/** Null where it is not ours, or of another version: then everything is learned anew. */
export function savedHistory(saved: unknown): SavedHistory | null {
  return schema.safeParse(saved).data ?? null;
}
