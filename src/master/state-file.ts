import { join } from 'node:path';
import type { LearnedModel } from '../models/model.js';
import { CheckedFile } from './checked-file.js';
import type { Override } from './overrides.js';

/** What outlives the master. Never environment values: `resurrect` reads them again from the configuration. */
export interface State {
  configs: { file: string; hash: string }[];
  /** Sizes pinned with `scale`, by the names of pools. */
  pins: Record<string, number>;
  /** What was changed at run time, by file. */
  overrides: Record<string, readonly Override[]>;
}

export class StateFile extends CheckedFile<State> {
  constructor(home: string) {
    super(join(home, 'state.json'), { configs: [], pins: {}, overrides: {} });
  }
}

/** What was learned of models, by the names of pools. Apart from the state: it is written every minute, and nothing is lost without it. */
export interface Learned {
  models: Record<string, LearnedModel>;
}

export class LearnedFile extends CheckedFile<Learned> {
  constructor(home: string) {
    super(join(home, 'learned.json'), { models: {} });
  }
}
