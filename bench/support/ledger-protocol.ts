/** What a bench and its ledger client say to each other, over the child's IPC channel. */

/** Clients that each wait for an answer before they send the next request. */
export interface ClosedLoad {
  kind: 'closed';
  name: string;
  clients: number;
  path: string;
  /** Off: a connection for each request. */
  keepAlive: boolean;
  /** A client rests up to this long between its requests, evenly distributed. */
  maxPauseMs: number;
  /** POSTs `{inputs: {id}}` and expects the id in the outputs, as nobody repeats the header of a prediction. */
  predicts?: boolean;
}

/** Requests that are due at their time whether earlier ones are answered or not; latency counts from that time. */
export interface OpenLoad {
  kind: 'open';
  name: string;
  path: string;
  perSecond: number;
  predicts?: boolean;
  /** Requests that are out at once; what is due beyond it is sent later. Default 1000. */
  maxOpen?: number;
  /** An answer that comes later is `ok` and not `good`. Default: none is late. */
  goodWithinMs?: number;
}

export type Load = ClosedLoad | OpenLoad;

export type ToLedger =
  /** In place of what is being sent. A request without an answer after `answerDeadlineMs` is lost. */
  | { type: 'send'; port: number; loads: Load[]; phase: string; answerDeadlineMs: number }
  /** Requests that are sent from now on are counted under this name. */
  | { type: 'phase'; phase: string }
  /** Answer with `entries` and go on. */
  | { type: 'report' }
  /** Send nothing more, wait for what is out, answer with `entries`. */
  | { type: 'stop' };

export type FromLedger = { type: 'entries'; entries: Entry[] };

/** One load in one phase. `sent` is the sum of `ok`, `typedErrors` and all in `lost`. */
export interface Entry {
  load: string;
  phase: string;
  durationMs: number;
  sent: number;
  ok: number;
  /** Of `ok`: what was not late. */
  good: number;
  /** Refusals that say why: a JSON body with `error.code`. */
  typedErrors: number;
  /** Requests without a proper answer, by reason. */
  lost: Record<string, number>;
  /** Answers for a request that was answered already. */
  duplicated: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}
