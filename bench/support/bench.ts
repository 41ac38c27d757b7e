import type { ParseArgsConfig } from 'node:util';
import type { Goal } from './goals.js';
import type { Scope } from './scope.js';

/** Of an option of a bench; a list where it may be given several times. */
export type OptionValue = string | boolean | string[] | undefined;

/** What a bench gets. */
export interface BenchRun {
  /** Everything that it starts belongs to this. */
  readonly scope: Scope;
  /** Under 20 s: shows that the bench works, not what the program does. */
  readonly quick: boolean;
  /** Of the bench's own options, as they were given. */
  readonly values: Readonly<Record<string, OptionValue>>;
  /** A line on stderr about what goes on. */
  progress(text: string): void;
  /** A remark for whoever reads the results. */
  note(text: string): void;
}

export interface Table {
  title: string;
  head: string[];
  rows: (string | number | null)[][];
}

/** What a bench found. */
export interface Findings {
  /** For people. */
  tables: Table[];
  /** The same and more, for programs. */
  results: Record<string, unknown>;
  goals: Goal[];
  /** Our requests that got no answer, two answers or somebody else's: any is a defect and fails the run. */
  lostRequests: number;
  /** Versions of what ran beside us. */
  peers: Record<string, string | null>;
}

export type Bench = (run: BenchRun) => Promise<Findings>;

/** What a bench's file exports. */
export interface BenchModule {
  bench: Bench;
  /** Its own options, beside those that all have. */
  options?: ParseArgsConfig['options'];
  usage?: string;
  /** Nothing real is measured: `--json` prints the results at the top level, where other tools look for them. */
  virtual?: boolean;
}
