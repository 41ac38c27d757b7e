/** What a policy answers: something to do, or `hold`; always why, and with the numbers it was taken on. */
export interface PolicyDecision<Action extends string = string> {
  action: Action | 'hold';
  reason: string;
  numbers: Record<string, number | string | null>;
}

export function act<Action extends string>(
  action: Action,
  reason: string,
  numbers: Record<string, number | string | null>,
): PolicyDecision<Action> {
  return { action, reason, numbers };
}

export function hold(reason: string, numbers: Record<string, number | string | null> = {}): PolicyDecision<never> {
  return { action: 'hold', reason, numbers };
}
