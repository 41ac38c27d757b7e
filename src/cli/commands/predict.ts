import { text } from 'node:stream/consumers';
import { SupError } from '../../errors.js';
import { replyError } from '../client.js';
import type { Context } from '../context.js';
import { EXIT, usage } from '../exit.js';
import { printableJson } from '../printable.js';
import { serverEvents } from '../sse.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [model = '', argument = ''], { json, stream }) => {
  const inputs = await inputOf(context, argument);
  const path = `/predict/${model.split('@').map(encodeURIComponent).join('/')}`;
  if (stream) return printStream(context, path, inputs, json === true);
  const reply = await context.client.post<{ outputs: unknown }>(path, { inputs });
  context.printJson(json ? reply : reply.outputs);
  return EXIT.done;
};

/** One line a chunk; with `json` one an event, the last of them included. Ctrl-C leaves, which ends the prediction. */
async function printStream(context: Context, path: string, inputs: unknown, json: boolean): Promise<number> {
  const response = await context.client.postStream(`${path}/stream`, { inputs });
  let interrupted = false;
  const release = context.io.onInterrupt(() => {
    interrupted = true;
    response.destroy();
  });
  try {
    for await (const { event, data } of serverEvents(response)) {
      if (event === 'error') throw replyError(0, data);
      const value: unknown = JSON.parse(data);
      if (json) context.print(printableJson({ event, data: value }));
      else if (event === 'chunk') context.print(printableJson(value));
      if (event === 'done') return EXIT.done;
    }
  } catch (error) {
    if (!interrupted && (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
  } finally {
    release();
  }
  if (interrupted) return EXIT.done;
  throw new SupError('SUP_INTERNAL', 'the master went away in the middle of its answer');
}

async function inputOf(context: Context, argument: string): Promise<unknown> {
  const source = argument === '-' ? await text(context.io.stdin) : argument;
  try {
    return JSON.parse(source);
  } catch (error) {
    const hint =
      argument === '-'
        ? 'stdin must hold one JSON value'
        : `a text is written with quotes inside quotes: supervisor predict MODEL '${JSON.stringify(source)}'`;
    throw usage(`the input is not JSON (${(error as Error).message}); ${hint}`);
  }
}
