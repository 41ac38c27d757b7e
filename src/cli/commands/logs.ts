import type { LogLine } from '../../master/supervisor.js';
import { parseDuration } from '../../units.js';
import { targetPath } from '../act.js';
import type { Context } from '../context.js';
import { EXIT, usage } from '../exit.js';
import { wholeNumber } from '../numbers.js';
import { printableJson } from '../printable.js';
import { logText } from '../render/logs.js';
import { serverEvents } from '../sse.js';
import type { Run } from '../verbs.js';

const DEFAULT_LINES = 50;

export const run: Run = async (context, [target = 'all'], { follow, lines, since, json }) => {
  const query = new URLSearchParams({ lines: String(wholeNumber('-n', lines ?? DEFAULT_LINES, 0)) });
  if (since !== undefined) query.set('since', sinceOf(String(since), Date.now()).toISOString());
  const show = (line: LogLine) => context.print(json ? printableJson(line) : logText(line, context.colors));
  if (follow) {
    query.set('follow', 'true');
    return followLogs(context, `${targetPath(target)}/logs?${query}`, show);
  }
  const reply = await context.client.get<{ lines: LogLine[] }>(`${targetPath(target)}/logs?${query}`);
  for (const line of reply.lines) show(line);
  return EXIT.done;
};

/** Until Ctrl-C (done) or until the master ends the stream. */
async function followLogs(context: Context, path: string, show: (line: LogLine) => void): Promise<number> {
  const response = await context.client.stream(path);
  let interrupted = false;
  const release = context.io.onInterrupt(() => {
    interrupted = true;
    response.destroy();
  });
  try {
    for await (const { event, data } of serverEvents(response)) {
      if (event === 'line') show(JSON.parse(data) as LogLine);
      else if (event === 'skipped') context.warn(`${(JSON.parse(data) as { count: number }).count} lines were skipped`);
    }
  } catch (error) {
    if (!interrupted && (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  } finally {
    release();
  }
  if (!interrupted) context.say('the master has ended the stream');
  return EXIT.done;
}

/** An age such as `10m`, or a time. */
export function sinceOf(text: string, nowMs: number): Date {
  if (/^\d{4}-/.test(text)) {
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return date;
  } else {
    try {
      return new Date(nowMs - parseDuration(text));
    } catch (error) {
      throw usage(`--since: ${(error as Error).message}, or a time such as 2026-01-31T12:00:00Z`);
    }
  }
  throw usage(`--since: '${text}' is no time; write 10m, 2h or 2026-01-31T12:00:00Z`);
}
