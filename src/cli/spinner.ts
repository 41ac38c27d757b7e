import type { Context } from './context.js';
import { printable } from './printable.js';

export interface Spinner {
  say(text: string): void;
  stop(): void;
}

/** Turns on stderr, where a person is looking; elsewhere it is silent. */
export async function startSpinner(context: Context, text: string): Promise<Spinner> {
  const stream = context.io.stderr;
  // A terminal that does not know its width (0 columns: `docker exec -t`, `script`) sends ora into an endless loop.
  if (!stream.isTTY || !((stream as NodeJS.WriteStream).columns > 0))
    return { say: () => undefined, stop: () => undefined };
  const { default: ora } = await import('ora');
  // discardStdin would take the keyboard away, Ctrl-C included.
  const spinner = ora({ text: printable(text), stream: stream as NodeJS.WriteStream, discardStdin: false }).start();
  return {
    say: (next) => {
      spinner.text = printable(next);
    },
    stop: () => void spinner.stop(),
  };
}
