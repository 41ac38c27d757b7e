import { expect, it } from 'vitest';
import { packageRow } from '../../src/control/package-unloading-report.js';
import { withUnloading, withUnloadingColumns } from '../../src/control/unloading-columns.js';
import { appDetail, appRow } from '../cli/support.js';
import { packageStatus, unloadingStatus } from '../http/fake-supervisor.js';

const WEB = appRow();
const FIRST = appRow({ name: 'intents', kind: 'model', version: 'v1' });
const SECOND = appRow({ name: 'intents', kind: 'model', version: 'v2' });
const TORCH = appRow({ name: 'torch', kind: 'model', version: 'v1' });
const PINNED = packageStatus('intents@v1', { idleSeconds: 5, preference: 'keep', whyNot: 'pinned' });
const STATUS = unloadingStatus({
  packages: [PINNED, packageStatus('intents@v2', { rank: 1, goesInSeconds: 0 }), packageStatus('torch', { rank: 2 })],
});

it('the list says of models how they are unloaded, and leaves its rows as they are', () => {
  expect(withUnloadingColumns([WEB, FIRST, SECOND, TORCH], STATUS)).toEqual([
    WEB,
    {
      ...FIRST,
      idle_seconds: 5,
      preference: 'keep',
      unload_rank: null,
      unload_why_not: 'pinned',
      unload_in_seconds: null,
    },
    { ...SECOND, idle_seconds: null, preference: null, unload_rank: 1, unload_why_not: null, unload_in_seconds: 0 },
    { ...TORCH, idle_seconds: null, preference: null, unload_rank: 2, unload_why_not: null, unload_in_seconds: null },
  ]);
});

it('the details have all of it', () => {
  const { unloading: _, ...detail } = appDetail({ name: 'intents', kind: 'model', version: 'v1' });
  const { unloading: __, ...web } = appDetail();
  expect(withUnloading([detail, web], STATUS)).toEqual([
    { ...detail, unloading: packageRow(PINNED) },
    { ...web, unloading: null },
  ]);
});
