import type { App } from '../apps/app.js';
import type { Supervisor } from './supervisor.js';

/** `ok` while everything that should have a ready worker has one, and its queue moves. */
export function healthOf(apps: readonly App[]): ReturnType<Supervisor['health']> {
  const rows = apps.flatMap((app) =>
    app.rows().map((row) => ({
      ...row,
      ended: app.endedWith() === 0,
      stalled: app.stalled,
      served: app.serves(row.version) || row.state !== 'stopped',
    })),
  );
  return {
    ok: rows.every(
      (row) =>
        row.min === 0 || (row.ready > 0 && row.stalled === null) || row.ended || row.state === 'idle' || !row.served,
    ),
    apps: rows.map(({ name, version, state, stalled, ready, desired }) => ({
      name,
      version,
      state,
      stalled,
      ready,
      desired,
    })),
  };
}
