import { messageOf } from '../errors.js';
import type { Master } from './master.js';
import type { ActReport } from './supervisor.js';

/**
 * TERM drains and ends; INT the same, a second INT kills; QUIT is quick; HUP reloads the configuration; USR1 reopens the logs;
 * TTIN and TTOU give every http app one worker more or less.
 */
export function handleSignals(master: Master): void {
  let interrupted = false;
  /** Nobody waits for the outcome, so what went wrong goes to the log. */
  const report = (signal: string, act: Promise<ActReport>) =>
    act.then(
      ({ results }) => {
        for (const { app, error } of results) if (error) master.warn(`${signal}: ${app}: ${error.message}`);
      },
      (error) => master.warn(`${signal}: ${messageOf(error)}`),
    );
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
  process.on('SIGHUP', () => void report('SIGHUP', master.act('reload', 'all')));
  process.on('SIGUSR1', () => master.reopenLogs());
  const scaleAll = (signal: string, size: string) => {
    for (const app of master.registry.apps)
      if (app.config.kind === 'http') void report(signal, master.scale(app.name, size));
  };
  process.on('SIGTTIN', () => scaleAll('SIGTTIN', '+1'));
  process.on('SIGTTOU', () => scaleAll('SIGTTOU', '-1'));
}
