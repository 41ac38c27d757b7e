#!/usr/bin/env node
import type { Writable } from 'node:stream';
import { processIo } from './io.js';
import { main } from './program.js';

// Without a handler Node would open its inspector at this signal; in the foreground the master installs its own.
process.on('SIGUSR1', () => undefined);
for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has seen enough (`| head`): nothing is wrong, and there is nobody left to tell.
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });

const code = await main(process.argv.slice(2), processIo);
// Pipes are written asynchronously, and exit() would cut them off.
await Promise.all([process.stdout, process.stderr].map(written));
process.exit(code);

function written(output: Writable): Promise<void> {
  return new Promise((resolve) => output.write('', () => resolve()));
}
