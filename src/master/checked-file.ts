import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';

/** A JSON file that is written whole and renamed into place, with a checksum, and the previous copy beside it. */
export class CheckedFile<T> {
  readonly #previous: string;
  #last = '';

  constructor(
    private readonly path: string,
    private readonly empty: T,
  ) {
    this.#previous = `${path}.bak`;
  }

  /** The newest copy that is whole; what was wrong with others comes back as warnings. */
  read(): { state: T; warnings: string[] } {
    const warnings: string[] = [];
    for (const path of [this.path, this.#previous]) {
      if (!existsSync(path)) continue;
      const state = parse<T>(readFileSync(path, 'utf8'));
      if (state) return { state: { ...this.empty, ...state }, warnings };
      warnings.push(`${path} is damaged and was passed over`);
    }
    return { state: structuredClone(this.empty), warnings };
  }

  write(state: T): void {
    const body = JSON.stringify(state);
    if (body === this.#last) return;
    if (existsSync(this.path) && parse(readFileSync(this.path, 'utf8'))) copyFileSync(this.path, this.#previous);
    writeFileAtomic.sync(this.path, `${JSON.stringify({ checksum: checksum(body), state }, null, 2)}\n`, {
      mode: 0o600,
    });
    this.#last = body;
  }
}

/** Null unless every byte is as it was written. */
function parse<T>(text: string): T | null {
  try {
    const { checksum: expected, state } = JSON.parse(text) as { checksum?: unknown; state?: T };
    return state && checksum(JSON.stringify(state)) === expected ? state : null;
  } catch {
    // Torn JSON is the case that this function is there for.
    return null;
  }
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}
