import type { AppRow, Decision, ResourceReport } from '../../master/supervisor.js';
import type { Context } from '../context.js';
import { EXIT } from '../exit.js';
import { frame } from '../top/frame.js';
import { showLive } from '../top/live.js';
import type { TopData } from '../top/sections.js';
import type { Run } from '../verbs.js';

const DECISIONS = 20;

export const run: Run = async (context, _args, { json, once }) => {
  const fetch = () => fetchData(context);
  const data = await fetch();
  if (json) {
    context.printJson(data);
    return EXIT.done;
  }
  const { stdout, env } = context.io;
  const terminal = stdout.isTTY === true && env.TERM !== 'dumb';
  if (terminal && !once) await showLive(context, data, fetch);
  else {
    const width = (stdout.isTTY && stdout.columns) || Number.POSITIVE_INFINITY;
    const view = { data, sort: 'memory' as const, trouble: null, live: false };
    context.print(frame(view, width, Number.POSITIVE_INFINITY, context.colors).join('\n'));
  }
  return EXIT.done;
};

async function fetchData({ client }: Context): Promise<TopData> {
  const [resources, { apps }, { decisions }] = await Promise.all([
    client.get<ResourceReport>('/api/resources'),
    client.get<{ apps: AppRow[] }>('/api/apps'),
    client.get<{ decisions: Decision[] }>(`/api/decisions?limit=${DECISIONS}`),
  ]);
  return { resources, apps, decisions };
}
