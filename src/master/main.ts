/** Entry of a master in the background; started by daemon.ts alone. */
// Before anything else: without a handler Node opens the inspector on SIGUSR1.
process.on('SIGUSR1', () => {});

import { toSupError } from '../errors.js';
import type { StartMessage } from './daemon.js';
import { homePaths } from './home.js';
import { createMaster } from './master.js';
import { handleSignals } from './signals.js';

const tell = (message: StartMessage) =>
  new Promise<void>((resolve) => {
    if (!process.connected || !process.send) return resolve();
    process.send(message, () => resolve());
  });

const env = { ...process.env };

try {
  const master = await createMaster({ home: homePaths(env), env, echo: null });
  handleSignals(master);
  await tell({ type: 'started' });
  if (process.connected) process.disconnect();
  await master.ended;
  process.exit(0);
} catch (error) {
  const { code, message } = toSupError(error);
  console.error(error);
  await tell({ type: 'failed', code, message });
  process.exit(1);
}
