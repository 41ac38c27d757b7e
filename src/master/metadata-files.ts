import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { messageOf } from '../errors.js';
import type { ModelInfo } from '../worker/protocol.js';

interface Kept {
  module: string;
  /** Of the module's text: what was read from another text does not count. */
  hash: string;
  info: ModelInfo;
}

/**
 * What modules declare, kept over restarts: one file for each module in `metadata/` of the state folder, good for as long as the module's
 * own text is the same.
 */
export class MetadataFiles {
  readonly #dir: string;
  /** By module. */
  readonly #known = new Map<string, Kept>();

  constructor(
    home: string,
    private readonly warn: (text: string) => void,
  ) {
    this.#dir = join(home, 'metadata');
  }

  async read(module: string, hash: string): Promise<ModelInfo | null> {
    const kept = this.#known.get(module) ?? (await this.#readFile(module));
    if (kept?.hash !== hash || kept.module !== module) return null;
    this.#known.set(module, kept);
    return kept.info;
  }

  async write(module: string, hash: string, info: ModelInfo): Promise<void> {
    const kept: Kept = { module, hash, info };
    const text = `${JSON.stringify(kept)}\n`;
    if (text === `${JSON.stringify(this.#known.get(module))}\n`) return;
    this.#known.set(module, kept);
    try {
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path(module), text, { mode: 0o600 });
    } catch (error) {
      // It can be read again at any time.
      this.warn(`the metadata of ${module} cannot be kept: ${messageOf(error)}`);
    }
  }

  async #readFile(module: string): Promise<Kept | null> {
    try {
      return JSON.parse(await readFile(this.#path(module), 'utf8')) as Kept;
    } catch {
      // Not there, or damaged: then it is read from the module.
      return null;
    }
  }

  #path(module: string): string {
    return join(this.#dir, `${sha256(module).slice(0, 32)}.json`);
  }
}

/** Null where the module cannot be read. */
export async function hashOf(module: string): Promise<string | null> {
  try {
    return sha256(await readFile(module));
  } catch {
    // Gone, say: whoever needs it will say what is wrong with it.
    return null;
  }
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
