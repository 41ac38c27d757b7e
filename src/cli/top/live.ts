import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../errors.js';
import type { Context } from '../context.js';
import { frame, type TopView } from './frame.js';
import { onKey } from './keyboard.js';
import { Screen } from './screen.js';
import type { TopData } from './sections.js';

const INTERVAL_MS = 1000;

/** Redraws until q, Ctrl-C or a signal, and puts the terminal back whatever happens. */
export async function showLive(context: Context, first: TopData, fetch: () => Promise<TopData>): Promise<void> {
  const { io, colors } = context;
  const screen = new Screen(io.stdout);
  const ended = new AbortController();
  const end = () => ended.abort();
  let view: TopView = { data: first, sort: 'memory', trouble: null, live: true };
  const change = (part: Partial<TopView>) => {
    if (ended.signal.aborted) return;
    view = { ...view, ...part };
    screen.draw(frame(view, screen.columns, screen.rows, colors));
  };
  const onResize = () => {
    screen.forget();
    change({});
  };
  const releases = [io.onInterrupt(end), io.onTerminate(end)];
  try {
    screen.enter();
    releases.push(
      onKey(io.stdin, (key) => {
        if (key === 'q' || key === 'Q' || key === '\u0003' || key === '\u0004') end();
        if (key === 'm') change({ sort: 'memory' });
        if (key === 'c') change({ sort: 'cpu' });
      }),
    );
    io.stdout.on('resize', onResize);
    releases.push(() => void io.stdout.off('resize', onResize));
    change({});
    const refreshing = async () => {
      while (await passed(INTERVAL_MS, ended.signal)) await update(change, fetch);
    };
    // Nobody who quits waits for an answer that is on its way.
    await Promise.race([refreshing(), once(ended.signal, 'abort')]);
  } finally {
    for (const release of releases) release();
    screen.leave();
  }
}

/** A master that is gone may come back: the last figures stay, with a word about why they are old. */
async function update(change: (part: Partial<TopView>) => void, fetch: () => Promise<TopData>): Promise<void> {
  try {
    change({ data: await fetch(), trouble: null });
  } catch (error) {
    change({ trouble: `${messageOf(error).split(';')[0]}; trying again` });
  }
}

/** Resolves with whether the time passed before the signal came. */
function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}
