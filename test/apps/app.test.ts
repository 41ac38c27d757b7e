import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { App } from '../../src/apps/app.js';
import type { AppKindParts } from '../../src/apps/kind.js';
import { ManualClock } from '../../src/clock.js';
import type { Backend } from '../../src/worker/backend.js';
import { fakeConfig, turn } from '../support/fake-pool.js';

/** An app whose `open` is finished by hand. */
class Rig {
  launched = 0;
  closed = 0;
  opened: (() => void)[] = [];
  readonly app: App;

  constructor() {
    const backend: Backend = {
      leave() {},
      launch: (_launch, events) => {
        this.launched++;
        const end = () => setImmediate(() => events.exit({ code: 0, signal: null, message: null }));
        return { pid: 1, thread: null, domain: 'one', send() {}, terminate: end, kill: end };
      },
    };
    const parts: AppKindParts = {
      versions: () => [null],
      served: () => [null],
      open: () => new Promise((resolve) => this.opened.push(resolve)),
      close: () => {
        this.closed++;
      },
      work: () => ({
        mode: 'cluster',
        wedgeMs: null,
        speaks: false,
        overlap: true,
        exitGraceMs: 1000,
        admit() {},
        drain: () => Promise.resolve(),
        end: (_worker, instance) => instance.terminate('SIGTERM'),
        lost() {},
        message() {},
        busyUntil: () => null,
      }),
      blueprint: () => ({ backend, readiness: () => Promise.resolve() }),
      renewed() {},
      emptied: async () => {},
      removed() {},
      configure() {},
    };
    this.app = new App(fakeConfig(), parts, {
      clock: new ManualClock(),
      random: () => 0.5,
      events: { decided() {}, stateChanged() {}, onLine: () => () => {} },
      hasRoom: () => true,
      warn() {},
      life: {
        start: (_app, pool, size) => pool.resize(size),
        settled: (_app, pool) => pool.settled(),
        empty: (_app, pool) => pool.resize(0),
        load: async () => {},
        unload: async () => {},
      },
      changed() {},
    });
  }
}

describe('a start that waits for what its app needs', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });
  afterEach(() => rig.app.stop());

  it('is called off by a stop: nothing is launched, and what was opened is given back', async () => {
    const started = rig.app.start();
    await turn();
    await rig.app.stop();
    const closedBefore = rig.closed;
    for (const open of rig.opened) open();
    await expect(started).rejects.toThrow('web was stopped meanwhile');
    expect(rig.launched).toBe(0);
    expect(rig.app.running).toBe(false);
    expect(rig.closed).toBe(closedBefore + 1);
  });

  it('is followed by the start that came after the stop', async () => {
    const first = rig.app.start();
    await turn();
    await rig.app.stop();
    const second = rig.app.start();
    await turn();
    const closedBefore = rig.closed;
    for (const open of rig.opened) open();
    await expect(first).rejects.toThrow('was stopped meanwhile');
    await second;
    expect(rig.launched).toBe(2);
    expect(rig.closed).toBe(closedBefore);
  });
});
