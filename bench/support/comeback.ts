import http from 'node:http';
import { until } from './wait.js';

const TRY_DEADLINE_MS = 5000;
const TRY_EVERY_MS = 5;
const COMEBACK_DEADLINE_MS = 30_000;

/**
 * Kills the process that serves this port and asks, each few ms on a connection of its own, until another process answers. Tries
 * don't wait for each other: one that the dying process took along says nothing about when the next one serves.
 * @returns ms from the kill to the end of the first such answer
 */
export async function killAndWaitForNext(port: number): Promise<number> {
  const victim = await servingPid(port);
  if (victim === null) throw new Error(`nobody answers on port ${port}`);
  const agent = new http.Agent({ keepAlive: false });
  let answeredAt: number | null = null;
  const killedAt = performance.now();
  process.kill(victim, 'SIGKILL');
  try {
    return await until(
      `a successor of pid ${victim} on port ${port}`,
      COMEBACK_DEADLINE_MS,
      () => {
        void servingPid(port, agent).then((pid) => {
          if (pid !== null && pid !== victim) answeredAt ??= performance.now();
        });
        return answeredAt === null ? null : answeredAt - killedAt;
      },
      TRY_EVERY_MS,
    );
  } finally {
    agent.destroy();
  }
}

/** Null where the connection is refused, broken or not answered. */
export function servingPid(port: number, agent?: http.Agent): Promise<number | null> {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/pid', agent: agent ?? false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.once('end', () => resolve(Number(body)));
      response.once('error', () => resolve(null));
    });
    request.setTimeout(TRY_DEADLINE_MS, () => request.destroy());
    request.once('error', () => resolve(null));
    request.once('close', () => resolve(null));
  });
}
