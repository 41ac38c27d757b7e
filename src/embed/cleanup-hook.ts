import type { CleanedMessage, CleanupLevel } from '../worker/protocol.js';

/**
 * Gives memory back: `trim` drops what can be rebuilt cheaply, `emergency` whatever can be done without. May be asynchronous; work
 * goes on meanwhile. It gets 3 s.
 */
export type CleanupHook = (level: CleanupLevel) => unknown;

/** As it stands in the registry that all copies of this package share: the shape may grow, not change. */
export interface NamedHook {
  readonly name: string;
  readonly run: CleanupHook;
}

/** What a cleanup came to. */
export type CleanupOutcome = Pick<CleanedMessage, 'passes' | 'before' | 'after' | 'errors'>;
