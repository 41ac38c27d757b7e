import type { Master } from './master.js';

/**
 * TERM drains and ends; INT the same, a second INT kills; QUIT is quick; HUP reloads the configuration; USR1 reopens the logs;
 * TTIN and TTOU give every http app one worker more or less.
 */
export function handleSignals(master: Master): void {
  let interrupted = false;
  const failed = (error: Error) => console.error(error.message);
  process.on('SIGTERM', () => void master.shutdown('SIGTERM'));
  process.on('SIGINT', () => {
    if (interrupted) master.hurry('second SIGINT');
    interrupted = true;
    void master.shutdown('SIGINT');
  });
  process.on('SIGQUIT', () => {
    void master.shutdown('SIGQUIT');
    master.hurry('SIGQUIT');
  });
  process.on('SIGHUP', () => {
    master.act('reload', 'all').catch(failed);
  });
  process.on('SIGUSR1', () => master.reopenLogs());
  const scaleAll = (size: string) => {
    for (const app of master.registry.apps) if (app.config.kind === 'http') master.scale(app.name, size).catch(failed);
  };
  process.on('SIGTTIN', () => scaleAll('+1'));
  process.on('SIGTTOU', () => scaleAll('-1'));
}
