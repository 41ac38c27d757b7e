import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SupError } from '../../src/errors.js';
import { mayTransition, transition, type WorkerEvent, type WorkerState } from '../../src/worker/state.js';

const STATES: WorkerState[] = ['starting', 'ready', 'unhealthy', 'draining', 'backoff', 'failed', 'stopped'];
const EVENTS: WorkerEvent[] = ['booted', 'bootFailed', 'sick', 'recovered', 'drain', 'exited', 'retry', 'giveUp'];

describe('worker states', () => {
  it('throws a coded error that names the worker, its state and the event', () => {
    expect(() => transition('web/3', 'stopped', 'retry')).toThrow(SupError);
    expect(() => transition('web/3', 'stopped', 'retry')).toThrow(/web\/3 is stopped/);
  });

  it('lets every state but stopped reach stopped, and stopped nothing', () => {
    for (const start of STATES) {
      const reached = new Set<WorkerState>([start]);
      for (let size = 0; size !== reached.size; ) {
        size = reached.size;
        for (const from of [...reached])
          for (const event of EVENTS) if (mayTransition(from, event)) reached.add(transition('w', from, event));
      }
      expect(reached.has('stopped')).toBe(true);
      if (start === 'stopped') expect(reached.size).toBe(1);
    }
  });

  it('becomes ready only from starting and unhealthy, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS)), (events) => {
        let state: WorkerState = 'starting';
        for (const event of events) {
          if (!mayTransition(state, event)) continue;
          const next = transition('w', state, event);
          if (next === 'ready') expect(['starting', 'unhealthy']).toContain(state);
          state = next;
        }
      }),
    );
  });
});
