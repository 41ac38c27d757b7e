import { text } from 'node:stream/consumers';
import type { Context } from '../context.js';
import { EXIT, usage } from '../exit.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [model = '', argument = ''], { json }) => {
  const inputs = await inputOf(context, argument);
  const path = model.split('@').map(encodeURIComponent).join('/');
  const reply = await context.client.post<{ outputs: unknown }>(`/predict/${path}`, { inputs });
  context.printJson(json ? reply : reply.outputs);
  return EXIT.done;
};

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
