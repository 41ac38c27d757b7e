import { Command, CommanderError, Option } from 'commander';
import { messageOf } from '../errors.js';
import { Context } from './context.js';
import { EXIT, exitCodeOf, problemsOf, usage } from './exit.js';
import type { Io } from './io.js';
import { VERBS, type Verb } from './verbs.js';

/** Runs one command line (without node and script). Resolves with the exit code and throws nothing. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  // commander forgets where `--` was, and `start -- node x.js` means something else than `start node x.js`.
  const dashes = argv.indexOf('--');
  const context = new Context(io, dashes < 0 ? null : argv.slice(dashes + 1));
  let exitCode: number = EXIT.done;
  const program = createProgram(io);
  for (const verb of VERBS)
    addVerb(program, verb, async (args, options) => {
      if (context.afterDashes !== null && !verb.takesCommand) throw usage(`'${verb.name}' takes nothing after --`);
      const { run } = await verb.load();
      exitCode = await run(context, args, options);
    });
  try {
    await program.parseAsync(withVerb(dashes < 0 ? argv : argv.slice(0, dashes)), { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has said what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    report(context, error);
    return exitCodeOf(error);
  }
}

/** Options that everybody tries where no verb is. */
function withVerb(argv: readonly string[]): string[] {
  const [first, ...rest] = argv;
  return first === '--version' || first === '-V' || first === '-v' ? ['version', ...rest] : [...argv];
}

function report(context: Context, error: unknown): void {
  const problems = problemsOf(error);
  if (problems.length === 0) for (const line of messageOf(error).split('\n')) context.fail(line);
  for (const problem of problems) context.say(problem);
}

function createProgram(io: Io): Command {
  return new Command('supervisor')
    .description('Keeps models and web apps running on this machine, within its memory.')
    .usage('<verb> [target] [options]')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .addHelpText('after', TARGETS);
}

const TARGETS = `
A target is an app, app@version, a worker (web/3), a namespace, /regex/ or all.
Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 no master is running, 4 no such target.
State folder: $SUPERVISOR_HOME, else ~/.supervisor`;

type Action = (args: (string | undefined)[], options: Record<string, unknown>) => Promise<void>;

function addVerb(program: Command, verb: Verb, action: Action): void {
  const command = program
    .command(`${verb.name}${verb.args ? ` ${verb.args}` : ''}`)
    .aliases(verb.aliases ?? [])
    .description(verb.summary)
    .addHelpText('after', `\nExamples:\n${verb.examples.map((example) => `  supervisor ${example}`).join('\n')}`);
  for (const [flags, description, hidden] of verb.options ?? []) {
    const option = new Option(flags, description);
    command.addOption(hidden ? option.hideHelp() : option);
  }
  command.action((...all: unknown[]) => {
    // commander calls with the arguments, then the options, then the command.
    const args = all.slice(0, -2) as (string | undefined)[];
    return action(args, all.at(-2) as Record<string, unknown>);
  });
}
