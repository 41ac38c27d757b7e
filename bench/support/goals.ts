export interface Goal {
  name: string;
  /** What was measured; null where it could not be. */
  value: number | null;
  unit: string;
  rule: 'at least' | 'at most';
  limit: number;
  met: boolean | null;
}

export function atLeast(name: string, value: number | null, limit: number, unit: string): Goal {
  return { name, value, unit, rule: 'at least', limit, met: value === null ? null : value >= limit };
}

export function atMost(name: string, value: number | null, limit: number, unit: string): Goal {
  return { name, value, unit, rule: 'at most', limit, met: value === null ? null : value <= limit };
}
