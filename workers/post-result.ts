import { serialize } from 'node:v8';
import { messageOf } from '../src/errors.js';
import type { Outcome, ResultMessage } from '../src/worker/protocol.js';

/**
 * Posts a result. An output that no message can carry (a function, a promise) is that input's error and nobody else's; it is
 * looked for only when posting failed, so that it costs the others nothing.
 */
export function postResult(result: ResultMessage, post: (result: ResultMessage) => void): void {
  try {
    post(result);
  } catch {
    post({ ...result, outcomes: result.outcomes.map(sendable) });
  }
}

function sendable(outcome: Outcome): Outcome {
  try {
    serialize(outcome);
    return outcome;
  } catch (error) {
    return { ok: false, name: 'TypeError', message: `predict returned what cannot be sent: ${messageOf(error)}` };
  }
}
