import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';

/** What outlives the master. Never environment values: `resurrect` reads them again from the configuration. */
export interface State {
  configs: { file: string; hash: string }[];
  /** Sizes pinned with `scale`, by app. */
  pins: Record<string, number>;
}

const EMPTY: State = { configs: [], pins: {} };

/** `state.json`: written whole and renamed into place, with a checksum, and the previous copy beside it. */
export class StateFile {
  readonly #path: string;
  readonly #previous: string;
  #last = '';

  constructor(home: string) {
    this.#path = join(home, 'state.json');
    this.#previous = join(home, 'state.json.bak');
  }

  /** The newest copy that is whole; what was wrong with others comes back as warnings. */
  read(): { state: State; warnings: string[] } {
    const warnings: string[] = [];
    for (const path of [this.#path, this.#previous]) {
      if (!existsSync(path)) continue;
      const state = parse(readFileSync(path, 'utf8'));
      if (state) return { state, warnings };
      warnings.push(`${path} is damaged and was passed over`);
    }
    return { state: structuredClone(EMPTY), warnings };
  }

  write(state: State): void {
    const body = JSON.stringify(state);
    if (body === this.#last) return;
    if (existsSync(this.#path) && parse(readFileSync(this.#path, 'utf8'))) copyFileSync(this.#path, this.#previous);
    writeFileAtomic.sync(this.#path, `${JSON.stringify({ checksum: checksum(body), state }, null, 2)}\n`, {
      mode: 0o600,
    });
    this.#last = body;
  }
}

/** Null unless every byte is as it was written. */
function parse(text: string): State | null {
  try {
    const { checksum: expected, state } = JSON.parse(text) as { checksum?: unknown; state?: State };
    if (!state || checksum(JSON.stringify(state)) !== expected) return null;
    return { configs: state.configs, pins: state.pins };
  } catch {
    // Torn JSON is the case that this function is there for.
    return null;
  }
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
