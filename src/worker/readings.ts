import type { TreeSample } from '../sensing/snapshot.js';
import type { Vitals } from './protocol.js';

/** Looks at the memory that are kept: what the recycle policy asks for. */
const KEPT_LOOKS = 4;

/** What was measured of one life of a worker; a new life starts anew. Null: not yet, or not to be had. */
export class Readings {
  /** The worker's own part of its process tree's memory, newest last; null where a look failed. */
  memoryBytes: (number | null)[] = [];
  /** The first look after it got ready. */
  bornWithBytes: number | null = null;
  /** Of one core; threads of one host carry equal parts. */
  cpuPercent: number | null = null;
  /** GPU memory of its process, of which threads of one host have equal parts. */
  gpuBytes: number | null = null;
  /** Of its process, which threads of one host share. */
  tree: TreeSample | null = null;
  vitals: Vitals | null = null;

  get latestBytes(): number | null {
    return this.memoryBytes.at(-1) ?? null;
  }

  look(bytes: number | null, ready: boolean): void {
    const rounded = bytes === null ? null : Math.round(bytes);
    this.memoryBytes = [...this.memoryBytes.slice(1 - KEPT_LOOKS), rounded];
    if (ready) this.bornWithBytes ??= rounded;
  }
}
