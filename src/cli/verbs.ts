import type { Context } from './context.js';

export type Options = Readonly<Record<string, unknown>>;

/** A verb's work; resolves with the exit code. Arguments that were left out are undefined. */
export type Run = (context: Context, args: readonly (string | undefined)[], options: Options) => Promise<number>;

export interface Verb {
  name: string;
  aliases?: string[];
  summary: string;
  /** In commander's form: `<required> [optional]`. */
  args?: string;
  options?: [flags: string, description: string, hidden?: boolean][];
  examples: string[];
  /** May be followed by `-- CMD args...`. */
  takesCommand?: boolean;
  /** Only the verb that runs is read from the disk, so that the short ones stay quick. */
  load: () => Promise<{ run: Run }>;
}

const JSON_OPTION: [string, string] = ['--json', 'print JSON alone on stdout'];

export const VERBS: readonly Verb[] = [
  {
    name: 'start',
    aliases: ['up'],
    summary: 'start a configuration, an app or a program in the background; returns when all are ready',
    args: '[what]',
    options: [
      ['--name <name>', 'name of a program that is started without a file'],
      ['--workers <n>', 'its number of workers'],
      ['--port <port>', 'the port that it listens on'],
      ['--host <host>', 'the address that it listens on'],
      JSON_OPTION,
    ],
    examples: [
      'start                                          # ./supervisor.yaml, else what ran last',
      'start shop/supervisor.yaml',
      'start web                                      # an app that was stopped',
      'start intents@v2                               # one version of a model',
      'start server.mjs --name web --workers 2 --port 8080',
      'start --name ticker -- python3 ticker.py --fast',
    ],
    takesCommand: true,
    load: () => import('./commands/start.js'),
  },
  {
    name: 'run',
    summary: 'run a configuration in the foreground, for containers and systemd',
    args: '[file]',
    examples: ['run', 'run shop/supervisor.yaml'],
    load: () => import('./commands/run.js'),
  },
  {
    name: 'stop',
    summary: 'drain and stop the workers of a target; it stays in the list',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['stop web', 'stop intents@v1', 'stop all'],
    load: () => import('./commands/stop.js'),
  },
  {
    name: 'restart',
    summary: 'stop a target and start it again',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['restart web', 'restart intents@v1', 'restart web/3'],
    load: () => import('./commands/restart.js'),
  },
  {
    name: 'reload',
    summary: 'read the configuration again and replace the workers one by one, without losing a request',
    args: '[target]',
    options: [JSON_OPTION],
    examples: ['reload', 'reload web', 'reload intents@v2', 'reload shop/supervisor.yaml'],
    load: () => import('./commands/reload.js'),
  },
  {
    name: 'recycle',
    summary: 'replace the workers of a target, or one worker, by fresh ones',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['recycle intents', 'recycle intents@v1', 'recycle intents@v1/3'],
    load: () => import('./commands/recycle.js'),
  },
  {
    name: 'scale',
    summary: 'fix the number of workers of an app, or let it follow the load again',
    args: '<target> <size>',
    options: [JSON_OPTION],
    examples: ['scale web 3', 'scale web +1', 'scale web -1', 'scale intents@v1 2', 'scale web auto'],
    load: () => import('./commands/scale.js'),
  },
  {
    name: 'load',
    summary: 'start the workers of a model now, before anybody asks; also after a load that failed',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['load intents', 'load intents@v2'],
    load: () => import('./commands/load.js'),
  },
  {
    name: 'unload',
    summary: 'stop the workers of a model and give their memory back; the next request loads it again',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['unload intents', 'unload intents@v1'],
    load: () => import('./commands/unload.js'),
  },
  {
    name: 'pin',
    summary: 'keep a model loaded: it is never unloaded by itself, however short memory is',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['pin intents', 'pin intents@v1', 'pin /^shop-/'],
    load: () => import('./commands/pin.js'),
  },
  {
    name: 'unpin',
    summary: 'let a model be unloaded like any other again; with --evict before all others',
    args: '<target>',
    options: [
      ['--evict', 'make it the first to go, and let it go as soon as it has been idle for a while'],
      JSON_OPTION,
    ],
    examples: ['unpin intents', 'unpin intents@v1 --evict', 'unpin all'],
    load: () => import('./commands/unpin.js'),
  },
  {
    name: 'strategy',
    summary:
      'show how models are unloaded, or how soon they are: aggressive, balanced, conservative, or one of a plug-in',
    args: '<target> [name]',
    options: [['--reset', 'follow the strategy of the box again (unloading.strategy)'], JSON_OPTION],
    examples: [
      'strategy all',
      'strategy intents aggressive',
      'strategy intents@v1 conservative',
      'strategy intents --reset',
    ],
    load: () => import('./commands/strategy.js'),
  },
  {
    name: 'delete',
    summary: 'stop a target and take it off the list',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['delete web', 'delete all'],
    load: () => import('./commands/delete.js'),
  },
  {
    name: 'kill',
    aliases: ['down'],
    summary: 'stop everything and the master',
    args: '[target]',
    examples: ['kill'],
    load: () => import('./commands/kill.js'),
  },
  {
    name: 'list',
    aliases: ['ls', 'ps', 'status'],
    summary: 'show all apps (also: ps, status)',
    options: [JSON_OPTION],
    examples: ['list', 'list --json'],
    load: () => import('./commands/list.js'),
  },
  {
    name: 'describe',
    summary: 'show everything about a target: settings, workers, latest decisions and lines',
    args: '<target>',
    options: [JSON_OPTION],
    examples: ['describe web', 'describe intents@v1 --json'],
    load: () => import('./commands/describe.js'),
  },
  {
    name: 'logs',
    summary: 'show what a target printed (default: all)',
    args: '[target]',
    options: [
      ['-f, --follow', 'go on with what comes, until Ctrl-C'],
      ['-n, --lines <n>', 'how many of the last lines (default: 50)'],
      ['--since <time>', 'only what is younger: 10m, 2h or 2026-01-31T12:00:00Z'],
      ['--json', 'one JSON object a line'],
    ],
    examples: ['logs', 'logs web -f', 'logs intents@v1 -n 500 --since 10m', 'logs web/2 --json'],
    load: () => import('./commands/logs.js'),
  },
  {
    name: 'decisions',
    summary: 'show what was decided, and why',
    options: [
      ['--policy <name>', 'only of this policy, such as recycle or restart'],
      ['--subject <name>', 'only about this app, app@version or worker'],
      ['-n, --limit <n>', 'how many of the latest'],
      JSON_OPTION,
    ],
    examples: ['decisions', 'decisions --policy recycle --subject web -n 20', 'decisions --json'],
    load: () => import('./commands/decisions.js'),
  },
  {
    name: 'top',
    aliases: ['monit'],
    summary: 'watch memory, CPU, apps, workers and decisions, live on a terminal (also: monit)',
    options: [
      ['--once', 'print what is now and end, also on a terminal'],
      ['--json', 'print {resources, apps, decisions} once, as JSON alone on stdout'],
    ],
    examples: [
      'top                                            # m, c: sort by memory, CPU; q: quit',
      'top --once',
      'top --json',
    ],
    load: () => import('./commands/top.js'),
  },
  {
    name: 'validate',
    summary: 'check a configuration (default: ./supervisor.yaml) and name all that is wrong',
    args: '[file]',
    options: [JSON_OPTION],
    examples: ['validate', 'validate shop/supervisor.yaml'],
    load: () => import('./commands/validate.js'),
  },
  {
    name: 'schema',
    summary: 'print the JSON Schema of supervisor.yaml, for editors',
    options: [['--json', 'has no effect: the schema is JSON', true]],
    examples: ['schema > supervisor.schema.json'],
    load: () => import('./commands/schema.js'),
  },
  {
    name: 'config',
    summary: 'show the configuration that is in force, or change a key of it while everything goes on',
    args: '[set|reset] [key] [value]',
    options: [['--origin', 'each key with its value and where that comes from'], JSON_OPTION],
    examples: [
      'config                                         # as one file would say it all, defaults included',
      'config --origin',
      'config set unloading.strategy aggressive       # no worker is replaced; kept until the file says something else',
      'config reset unloading.strategy',
      'config reset                                   # all that was set',
    ],
    load: () => import('./commands/config.js'),
  },
  {
    name: 'init',
    summary: 'write a first supervisor.yaml for this folder',
    options: [
      ['--profile <name>', 'with settings for a kind of machine: t3-large (2 cores, 8 GB)'],
      ['--force', 'overwrite the one that is there'],
    ],
    examples: ['init', 'init --profile t3-large'],
    load: () => import('./commands/init.js'),
  },
  {
    name: 'predict',
    summary: 'ask a model; - reads the input from stdin',
    args: '<model[@version]> <json>',
    options: [
      ['--json', 'print the whole answer, not only the outputs'],
      ['--stream', 'print each part of the answer as it comes, one a line'],
    ],
    examples: [
      `predict intents '"I want my money back"'`,
      `predict writer '{"text_input": "Once upon"}' --stream`,
      `predict intents@v1 '{"text": "hello"}'`,
      'predict intents - < input.json',
    ],
    load: () => import('./commands/predict.js'),
  },
  {
    name: 'bench',
    summary: 'run an app at several sizes under load, beside what runs, and recommend a size',
    args: '<app[@version]>',
    options: [
      ['--workers <sizes>', 'the sizes: 1..8, 1,2,4 or 4 (default: from 1 to what its range or the cores suggest)'],
      ['--input <file>', "inputs for a model (JSON, JSONL; default: its warmup samples), or lines such as 'GET /path'"],
      ['--clients <n>', 'how many ask at once (default: as many as keep the workers busy)'],
      ['--duration <time>', 'how long each size is measured (default: 5s)'],
      ['--file <file>', 'the configuration (default: that of the running app, else ./supervisor.yaml)'],
      ['--apply', 'write the recommended size into the configuration'],
      JSON_OPTION,
    ],
    examples: [
      'bench intents',
      'bench intents@v1 --workers 1..4 --input questions.jsonl --duration 10s',
      'bench web --input requests.txt --clients 64',
      'bench intents --json --apply',
    ],
    load: () => import('./commands/bench.js'),
  },
  {
    name: 'token',
    summary: 'print the token of the control API',
    examples: ['token', 'token | xargs -I{} curl -H "Authorization: Bearer {}" http://127.0.0.1:9700/api/apps'],
    load: () => import('./commands/token.js'),
  },
  {
    name: 'ping',
    summary: 'tell whether a master is running',
    options: [JSON_OPTION],
    examples: ['ping'],
    load: () => import('./commands/ping.js'),
  },
  {
    name: 'version',
    summary: 'print the version of this program',
    options: [JSON_OPTION],
    examples: ['version', 'version --json'],
    load: () => import('./commands/version.js'),
  },
];
