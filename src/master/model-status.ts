/** What is known of each model version: its state, its use, and what was learned of it. */

/** `unloaded`: the next request loads it. `stopped`: an operator, or the version policy, has taken it out. */
export type ModelState = 'unloaded' | 'loading' | 'ready' | 'unloading' | 'failed' | 'stopped';

export interface ModelStatus {
  name: string;
  version: string;
  /** It answers requests that name no version, where weights don't say otherwise. */
  default: boolean;
  /** 0..1 of the requests that name no version. */
  share: number;
  state: ModelState;
  /** Why it is not ready, where it is not. */
  reason: string | null;
  instances: { active: number; loading: number; target: number; min: number; max: number };
  /** Requests now. */
  queued: number;
  in_flight: number;
  /** Since the end of the last request; null while there is one, and before the first. */
  idle_seconds: number | null;
  keepalive: Keepalive | null;
  loads: LoadCounts;
  memory_bytes: number | null;
  /** It has just been loaded or unloaded, or is about to be, and what it takes or gives back is not measured yet. */
  memory_pending: boolean;
  /** Null where there is no GPU, or nothing of it is used. */
  gpu_memory_bytes: number | null;
  inputs: InputCounts;
}

/** When it is unloaded, and how that was found; null where it never is. */
export interface Keepalive {
  /** It is kept for so long after a request; null: for ever. */
  keep_seconds: number | null;
  /** It is loaded again so long after a request; null: never before the next one. */
  prewarm_seconds: number | null;
  basis: 'to_zero_after' | 'learned' | 'seasonal' | 'strategy' | 'ttl' | 'evict';
  /** Cold seconds that a MiB·s of idle memory may cost. */
  price: number;
}

export interface LoadCounts {
  loads: number;
  unloads: number;
  failures: number;
  /** Requests that came while it was not loaded, and waited. */
  cold_starts: number;
  /** Requests that found it loaded. */
  hits: number;
  /** hits ÷ (hits + cold starts); null before the first request. */
  hit_rate: number | null;
  /** Mean of all loads that succeeded, of the last one, and in sum. */
  mean_seconds: number | null;
  last_seconds: number | null;
  total_seconds: number;
  /** Requests in the learning window, older ones counting less. */
  popularity: number;
}

/** Inputs since the start of the master; each ends as one of the six after `requests`. */
export interface InputCounts {
  requests: number;
  succeeded: number;
  model_errors: number;
  expired: number;
  cancelled: number;
  refused: number;
  lost: number;
  retries: number;
  batches: number;
  /** Worker time of all batches, and time that inputs which got an answer waited before. */
  compute_ms: number;
  queue_ms: number;
}

/** As the module declares it. */
export interface ModelMetadata {
  name: string;
  /** Of the model, in the order of the configuration. */
  versions: string[];
  version: string;
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
  /** One input is one row of the tensors. */
  rows: boolean;
  /** Answers can be streamed. */
  streams: boolean;
}

export interface TensorMetadata {
  name: string;
  datatype: string;
  shape: number[];
}
