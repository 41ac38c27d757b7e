/**
 * The child process of a model app: `model-host.js process` runs one model, `model-host.js thread` carries the threads of a pool.
 * Nothing is imported before the signals are taken, since SIGUSR1 would open the inspector.
 */
process.on('SIGUSR1', () => {});
// Ctrl-C goes to everything in the terminal; what it means for the workers is the master's decision.
process.on('SIGINT', () => {});
// Nothing outlives its master.
process.on('disconnect', () => process.exit(0));

const [isolation] = process.argv.splice(2, 1);
if (isolation === 'thread') (await import('./thread-host.js')).runThreadHost();
else (await import('./process-host.js')).runProcessHost();

export {};
