import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { systemClock } from '../clock.js';
import { LogFile } from '../logs/log-file.js';
import type { Home } from './home.js';

const ROTATION = { sizeBytes: 20 * 1024 ** 2, keep: 3, maxAgeMs: 30 * 24 * 3_600_000 };

export type MasterLog = Logger & { reopen(): void; flushed(): Promise<void> };

/** The master's own log, `master.log` in the state folder: beside `logs/`, where every name may be an app's. */
export function openMasterLog(home: Home, echo: NodeJS.WritableStream | null): MasterLog {
  const file = new LogFile({
    path: join(home.dir, 'master.log'),
    rotation: ROTATION,
    clock: systemClock,
    onWarning: (message) => echo?.write(`${message}\n`),
    onDrain: () => {},
    recovered: (lost) => `{"level":40,"msg":"${lost} lines were lost while this file could not be written"}\n`,
  });
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    {
      write(line: string) {
        file.write(line);
        if (echo) echo.write(readable(line));
      },
    },
  );
  return Object.assign(logger, { reopen: () => file.reopen(), flushed: () => file.close() });
}

/** For a person who watches the foreground master. */
function readable(line: string): string {
  const { time, level, msg } = JSON.parse(line) as { time: string; level: number; msg: string };
  return `${time.slice(11, 19)} ${level >= 50 ? 'ERROR ' : level >= 40 ? 'WARN  ' : ''}${msg}\n`;
}
