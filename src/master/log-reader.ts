import { isWorkerOf } from '../logs/ring.js';
import type { Registry } from './registry.js';
import type { LogLine } from './supervisor.js';
import { type Selection, selectTargets } from './targets.js';

/** The lines of one or many apps, in the order of their time. */
export class LogReader {
  constructor(private readonly registry: Registry) {}

  async tail(target: string, options: { lines: number; since: Date | null }): Promise<LogLine[]> {
    const lines = await Promise.all(this.#selected(target).map(({ log, worker }) => log.tail({ ...options, worker })));
    const merged = lines.flat().sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    return options.lines > 0 ? merged.slice(-options.lines) : [];
  }

  follow(target: string, onLine: (line: LogLine) => void): () => void {
    const ends = this.#selected(target).map(({ log, worker }) =>
      log.follow((line) => {
        if (isWorkerOf(line.worker, worker)) onLine(line);
      }),
    );
    return () => {
      for (const end of ends) end();
    };
  }

  #selected(target: string) {
    return selectTargets(this.registry.apps, target).map((selection: Selection) => {
      const { log } = this.registry.get(selection.app.name)!;
      const { app, version } = selection;
      return { log, worker: selection.worker ?? (version === undefined ? null : `${app.name}@${version}`) };
    });
  }
}
