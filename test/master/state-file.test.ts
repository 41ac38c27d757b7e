import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateFile } from '../../src/master/state-file.js';
import { HOME_PREFIX } from '../support/no-orphans.js';

const first = { configs: [{ file: '/srv/a.yaml', hash: 'aa' }], pins: { web: 3 }, overrides: {} };
const second = {
  configs: [{ file: '/srv/a.yaml', hash: 'bb' }],
  pins: { web: 4 },
  overrides: {
    '/srv/a.yaml': [{ path: ['log', 'level'], value: 'debug', time: '2026-01-01T00:00:00.000Z', written: null }],
  },
};

let home: string;
beforeEach(() => {
  home = mkdtempSync(HOME_PREFIX);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('StateFile', () => {
  it('is empty where there is none, and reads back what it wrote, for its owner alone', () => {
    const file = new StateFile(home);
    expect(file.read()).toEqual({ state: { configs: [], pins: {}, overrides: {} }, warnings: [] });
    file.write(first);
    expect(new StateFile(home).read()).toEqual({ state: first, warnings: [] });
    expect(statSync(join(home, 'state.json')).mode & 0o777).toBe(0o600);
  });

  it('torn at any byte, gives the previous copy and says so', () => {
    const file = new StateFile(home);
    file.write(first);
    file.write(second);
    const path = join(home, 'state.json');
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length - 1; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const { state, warnings } = new StateFile(home).read();
      expect(state, `torn after ${length} bytes`).toEqual(first);
      expect(warnings.join()).toContain('damaged');
    }
  });

  it('with one flipped byte anywhere, never gives a state that was not written', () => {
    const file = new StateFile(home);
    file.write(first);
    file.write(second);
    const path = join(home, 'state.json');
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ 1;
      writeFileSync(path, flipped);
      expect([JSON.stringify(first), JSON.stringify(second)]).toContain(
        JSON.stringify(new StateFile(home).read().state),
      );
    }
  });

  it('does not push a damaged copy over the good previous one', () => {
    const file = new StateFile(home);
    file.write(first);
    file.write(second);
    writeFileSync(join(home, 'state.json'), '{"torn');
    const heir = new StateFile(home);
    heir.write({ ...second, pins: {} });
    writeFileSync(join(home, 'state.json'), '');
    expect(new StateFile(home).read().state).toEqual(first);
  });
});
