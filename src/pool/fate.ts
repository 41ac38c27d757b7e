/** What becomes of an input whose worker is gone. */
export type Fate =
  /** Again, before all others; nothing is held against it. */
  | 'again'
  /** Again, in a batch of one on an otherwise idle domain: if its worker dies again, it was this input. */
  | 'again-alone'
  | 'lost'
  | 'quarantined';

export interface Circumstances {
  /** The worker died by itself, or was wedged; else the supervisor took it away. */
  ownFault: boolean;
  /** Deaths while alone, this one included. */
  strikes: number;
  strikesToQuarantine: number;
  idempotent: boolean;
  /** It has had its second chance. */
  retried: boolean;
  /** A part of its answer was read. */
  begun: boolean;
  /** How often the supervisor took its worker away before. */
  evictions: number;
  /** No worker is going to come. */
  down: boolean;
  /** Asked at last, since it counts: whether so many may be retried after deaths. */
  affordable: () => boolean;
}

/** How often a prediction follows workers that the supervisor takes away. */
const MAX_EVICTIONS = 3;

export function decideFate(c: Circumstances): Fate {
  // Its reader could not tell where the first answer ends and the second one begins.
  if (c.begun) return 'lost';
  // Whoever has just used up a retry is told about the two deaths; 422 is for those who come with the input from then on.
  if (c.ownFault && c.strikes >= c.strikesToQuarantine && !c.retried) return 'quarantined';
  if (!c.idempotent || c.down) return 'lost';
  if (c.ownFault) return c.retried || !c.affordable() ? 'lost' : 'again-alone';
  return c.evictions < MAX_EVICTIONS ? 'again' : 'lost';
}
