import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { SupError } from '../../src/errors.js';
import { folderWith, problemsOf, refusal } from './support.js';

/** One app named `a`, whose keys begin at 2:8. */
const app = (keys: string) => `apps:\n  a: { ${keys} }\n`;
const web = 'script: s.mjs, port: 80';
const WEB_END = `  a: { ${web}, `.length + 1;

describe('one problem, with its exact place', () => {
  it.each<[what: string, yaml: string, problem: string]>([
    // Keys
    ['unknown key of the file', 'apps: {}\ncontroll: {}\n', '2:1 controll: unknown key, did you mean `control`?'],
    ['nothing near', 'apps: {}\nzzz: 1\n', '2:1 zzz: unknown key'],
    ['an app outside of apps', 'apps: {}\nweb: { script: x }\n', '2:1 web: unknown key; apps stand under `apps:`'],
    [
      'near a key elsewhere',
      app(`${web}, max_request: 5`),
      `2:${WEB_END} apps.a.max_request: unknown key, did you mean \`recycle.max_requests\`?`,
    ],
    [
      'the same key elsewhere',
      app(`${web}, max_requests: 5`),
      `2:${WEB_END} apps.a.max_requests: unknown key, did you mean \`recycle.max_requests\`?`,
    ],
    [
      'near a sibling',
      app(`${web}, recycle: { max_requets: 5 }`),
      `2:${WEB_END + 11} apps.a.recycle.max_requets: unknown key, did you mean \`max_requests\`?`,
    ],
    [
      'camelCase',
      app(`${web}, dependsOn: []`),
      `2:${WEB_END} apps.a.dependsOn: unknown key, did you mean \`depends_on\`?`,
    ],
    [
      'a key of another kind',
      app(`${web}, concurrency: 2`),
      `2:${WEB_END} apps.a.concurrency: belongs to kind \`model\`, and this app is of kind \`http\``,
    ],
    [
      'a port on a command',
      app('command: [x], port: 80'),
      '2:22 apps.a.port: belongs to kind `http`, and this app is of kind `command`: to share a port between workers, write `kind: http`',
    ],
    [
      'requests of a command',
      app('command: [x], recycle: { max_requests: 5 }'),
      "2:33 apps.a.recycle.max_requests: belongs to kind `model` and `http`, and this app is of kind `command`: the supervisor does not see a command's requests; use max_age or max_memory, or make it an http app",
    ],
    [
      'the heartbeat of a command',
      app('command: [x], health: { wedge: 5s }'),
      '2:22 apps.a.health: belongs to kind `model` and `http`, and this app is of kind `command`: a command sends no heartbeat that could be missed',
    ],
    [
      'a probe of a model',
      app('module: m.mjs, ready: { probe: "log:x" }'),
      '2:32 apps.a.ready.probe: belongs to kind `http` and `command`, and this app is of kind `model`: a model is ready when load and warmup have resolved',
    ],
    // Structure
    ['no apps', 'version: 1\n', '1:1 apps: is missing: write `apps:` and your apps below it'],
    ['apps: 5', 'apps: 5\n', '1:7 apps: must be a map of keys, not `5`'],
    ['empty apps', 'apps:\n', '1:1 apps: must be a map of keys, but is empty'],
    [
      'an app that is a number',
      'apps:\n  a: 5\n',
      '2:6 apps.a: must be a map of keys, such as { kind: command, command: [node, job.mjs] }',
    ],
    ['an empty section', 'apps: {}\ncontrol:\n', '2:1 control: must be a map of keys, but is empty'],
    ['a list for a map', 'apps: {}\ncontrol: [1]\n', '2:10 control: must be a map of keys, not a list'],
    [
      'a text for a list',
      app('command: node s.mjs'),
      '2:17 apps.a.command: must be a list of words, such as [node, server.mjs], not `node s.mjs`',
    ],
    ['an empty command', app('command: []'), '2:17 apps.a.command: must not be empty'],
    [
      'a name with a path',
      'apps:\n  "../x": { command: [x] }\n',
      '2:3 apps["../x"]: is not a name; use letters, digits, `_`, `.` and `-`, beginning with a letter or digit, at most 64, and not `all`',
    ],
    [
      'a reserved name',
      'apps:\n  all: { command: [x] }\n',
      '2:3 apps.all: is not a name; use letters, digits, `_`, `.` and `-`, beginning with a letter or digit, at most 64, and not `all`',
    ],
    [
      'a bad version name',
      app('versions: { "v 1": { module: m.mjs } }'),
      '2:20 apps.a.versions["v 1"]: is not a name; use letters, digits, `_`, `.` and `-`, beginning with a letter or digit, at most 64, and not `all`',
    ],
    ['no versions', app('versions: {}'), '2:18 apps.a.versions: must name at least one version, such as v1'],
    [
      'a version without module',
      app('versions: { v1: {} }'),
      '2:20 apps.a.versions.v1.module: is missing: write the path of the module that exports this version',
    ],
    // Kinds
    [
      'a misspelt kind',
      app('kind: modle, module: m.mjs'),
      '2:14 apps.a.kind: must be one of `model`, `http`, `command`, not `modle`, did you mean `model`?',
    ],
    [
      'nothing to run',
      app('cwd: .'),
      '2:3 apps.a: does not say what to run: write `module`, `script`, `handler` or `command`',
    ],
    [
      'a command without one',
      app('kind: command'),
      '2:3 apps.a.command: is missing: write the program and its arguments, such as [node, job.mjs]',
    ],
    [
      'an http app without port',
      app('script: s.mjs'),
      '2:3 apps.a.port: is missing: write the port that its workers share; a program without one is `command: [node, FILE]`',
    ],
    [
      'an http app without program',
      app('kind: http, port: 80'),
      '2:3 apps.a.script: is missing: write what it runs (or `handler`, or `command`)',
    ],
    [
      'a model without module',
      app('kind: model'),
      '2:3 apps.a.module: is missing: write the path of the module that exports the model',
    ],
    [
      'two things to run',
      app(`${web}, handler: s.mjs`),
      `2:${WEB_END} apps.a.handler: cannot stand beside \`script\`; an app runs one of module, versions, script, handler or command`,
    ],
    // Values
    [
      'a bare duration',
      app('command: [x], stop: { grace: 30 }'),
      '2:37 apps.a.stop.grace: `30` has no unit: write 30s or 30ms',
    ],
    [
      'a bare size',
      app('command: [x], recycle: { max_memory: 300 }'),
      '2:45 apps.a.recycle.max_memory: `300` has no unit: write 300MiB or 300B',
    ],
    [
      'a bare share',
      app('command: [x], recycle: { jitter: 0.1 }'),
      '2:41 apps.a.recycle.jitter: `0.1` has no unit: write 0.1% or 10%',
    ],
    [
      'a strange size',
      app('command: [x], recycle: { max_memory: 12parsecs }'),
      '2:45 apps.a.recycle.max_memory: `12parsecs` is not a size: write a number with B, KiB, MiB, GiB or KB, MB, GB, such as 512MiB',
    ],
    [
      'a duration longer than timers',
      app('command: [x], stop: { grace: 30d }'),
      '2:37 apps.a.stop.grace: must be from 0ms to 24d, not `30d`',
    ],
    [
      'infinity',
      app('command: [x], restart: { max_restarts: .inf }'),
      '2:47 apps.a.restart.max_restarts: must be a whole number, not `Infinity`',
    ],
    [
      'not a number',
      app('command: [x], stop: { grace: .nan }'),
      '2:37 apps.a.stop.grace: `NaN` is not a duration: write numbers with d, h, m, s or ms, such as 90s or 1h30m',
    ],
    [
      'a negative number',
      app('command: [x], restart: { max_restarts: -1 }'),
      '2:47 apps.a.restart.max_restarts: must be at least 0, not `-1`',
    ],
    [
      'a number in quotes',
      app('command: [x], restart: { max_restarts: "5" }'),
      '2:47 apps.a.restart.max_restarts: must be a whole number, not the text `5`',
    ],
    [
      'a fraction',
      app('module: m.mjs, concurrency: 1.5'),
      '2:36 apps.a.concurrency: must be a whole number, not `1.5`',
    ],
    ['a port too high', app('script: s.mjs, port: 99999'), '2:29 apps.a.port: must be at most 65535, not `99999`'],
    [
      'an enum',
      app('command: [x], stop: { signal: TERM }'),
      '2:38 apps.a.stop.signal: must be one of `SIGTERM`, `SIGINT`, `SIGQUIT`, `SIGHUP`, `SIGUSR1`, `SIGUSR2`, `SIGWINCH`, `SIGKILL`, not `TERM`, did you mean `SIGTERM`?',
    ],
    ['a boolean', app('command: [x], overlap: yes'), '2:31 apps.a.overlap: must be true or false, not `yes`'],
    [
      'workers of no form',
      app('command: [x], workers: many'),
      '2:31 apps.a.workers: must be a whole number or `max` or a map of keys, not `many`, did you mean `max`?',
    ],
    [
      'an unknown key of workers',
      app('command: [x], workers: { mx: 2 }'),
      '2:33 apps.a.workers.mx: unknown key, did you mean `max`?',
    ],
    [
      'a model of size 0',
      app('module: m.mjs, workers: 0'),
      '2:32 apps.a.workers: must be at least 1, not `0`; a model that starts on demand has { min: 0, max: 1 }',
    ],
    [
      'a command that may sleep',
      app('command: [x], workers: { min: 0 }'),
      '2:38 apps.a.workers.min: must be at least 1, not `0`; only models can start on demand',
    ],
    [
      'min above max',
      app('module: m.mjs, workers: { min: 3, max: 1 }'),
      '2:32 apps.a.workers: `min` must not be above `max`',
    ],
    [
      'min above the cores',
      app('module: m.mjs, workers: { min: 7, max: max }'),
      '2:32 apps.a.workers: `min` must not be above `max` (6 on this machine)',
    ],
    [
      'a probe',
      app('command: [x], ready: { probe: "ftp://x" }'),
      '2:38 apps.a.ready.probe: is not a probe: write http://HOST:PORT/PATH, tcp://HOST:PORT or log:PATTERN',
    ],
    [
      'a pattern that does not compile',
      app('command: [x], ready: { probe: "log:(" }'),
      '2:38 apps.a.ready.probe: Invalid regular expression: /(/: Unterminated group',
    ],
    [
      'a pattern too long',
      app(`command: [x], ready: { probe: "log:${'x'.repeat(257)}" }`),
      '2:38 apps.a.ready.probe: a log pattern is a regular expression of 1 to 256 characters, not `log:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`',
    ],
    [
      'a user key',
      app('module: m.mjs, recycle: { user_key: x-user }'),
      '2:44 apps.a.recycle.user_key: write header:NAME, such as header:x-user-id, not `x-user`',
    ],
    [
      'a host with a port',
      'apps: {}\ncontrol: { host: "a:80/" }\n',
      '2:18 control.host: must be a host name or an IP address, without brackets or port, not `a:80/`',
    ],
    [
      'an allowed host with a scheme',
      'apps: {}\ncontrol: { allowed_hosts: [a.b, "http://x"] }\n',
      '2:33 control.allowed_hosts[1]: must be a host name such as shop.example.com, without scheme, port or path, not `http://x`',
    ],
    [
      'an environment value',
      app('command: [x], env: { A: [1] }'),
      "2:32 apps.a.env.A: an environment value must be text; write '' for an empty one",
    ],
    [
      'an environment name',
      app('command: [x], env: { "A=B": 1 }'),
      '2:29 apps.a.env["A=B"]: an environment name is not empty and has no `=`',
    ],
    ['a NUL', app('command: [x, "a\\0b"]'), '2:21 apps.a.command[1]: must not contain NUL, not `a\\x00b`'],
    // Combinations
    [
      'max_users of an http app',
      app(`${web}, recycle: { max_users: 5 }`),
      `2:${WEB_END + 11} apps.a.recycle.max_users: needs \`recycle.user_key\`, such as header:x-user-id: an http app has no other sign of who asks`,
    ],
    [
      'a first wait above the longest',
      app('command: [x], restart: { backoff: 1m }'),
      '2:42 apps.a.restart.backoff: is longer than `restart.max_backoff`',
    ],
    [
      'no token off loopback',
      'apps: {}\ncontrol: { host: 0.0.0.0, auth: none }\n',
      '2:33 control.auth: `none` is refused off loopback: whoever reaches the port could run programs; use `token`',
    ],
    [
      'two apps on one port',
      `apps:\n  a: { ${web} }\n  b: { host: 0.0.0.0, ${web} }\n`,
      '3:44 apps.b.port: is the port of `apps.a` too: each needs its own',
    ],
    [
      'an app on the control port',
      app('script: s.mjs, port: 9700'),
      '2:29 apps.a.port: is the port of `control` (by default) too: each needs its own',
    ],
    [
      'an app on the control port that was chosen',
      `control: { port: 80 }\n${app(web)}`,
      '3:29 apps.a.port: is the port of `control` too: each needs its own',
    ],
    [
      'inference on the port of an app',
      'apps:\n  a: { script: s.mjs, port: 8000 }\n  m: { module: m.mjs }\n',
      '2:29 apps.a.port: is the port of `inference` (by default) too: each needs its own',
    ],
    [
      'control on the default inference port',
      'control: { port: 8000 }\napps: { m: { module: m.mjs } }\n',
      '1:18 control.port: is the port of `inference` (by default) too: each needs its own',
    ],
    [
      'an unknown default model',
      'inference: { default_model: intnts }\napps: { intents: { module: m.mjs } }\n',
      '1:29 inference.default_model: names no app, did you mean `intents`?',
    ],
    [
      'a default model that is none',
      'inference: { default_model: a }\napps: { a: { command: [x] } }\n',
      '1:29 inference.default_model: is not a model app',
    ],
    [
      'an unknown dependency in a list',
      'apps:\n  a: { command: [x], depends_on: [bb] }\n  bbb: { command: [x] }\n',
      '2:35 apps.a.depends_on[0]: there is no app `bb`, did you mean `bbb`?',
    ],
    [
      'an unknown dependency in a map',
      'apps:\n  a: { command: [x], depends_on: { q: ready } }\n',
      '2:36 apps.a.depends_on.q: there is no app `q`',
    ],
    [
      'an unknown condition',
      app('command: [x], depends_on: { a: redy }'),
      '2:39 apps.a.depends_on.a: must be one of `ready`, `started`, not `redy`, did you mean `ready`?',
    ],
    [
      'a dependency on itself',
      app('command: [x], depends_on: { a: ready }'),
      '2:36 apps.a.depends_on.a: an app cannot depend on itself',
    ],
    [
      'a circle',
      'apps:\n  a: { command: [x], depends_on: [b] }\n  b: { command: [x], depends_on: [c] }\n  c: { command: [x], depends_on: [b] }\n',
      '3:22 apps.b.depends_on: is a circle: b → c → b',
    ],
    // Files
    [
      'a missing module',
      app('kind: model, module: ./nosuch.mjs'),
      "2:29 apps.a.module: there is no file `./nosuch.mjs`; paths are relative to the file's folder",
    ],
    ['a module that is a folder', app('module: .'), '2:16 apps.a.module: is a folder `.`, not a file'],
    [
      'a missing version',
      app('versions: { v1: { module: n.mjs } }'),
      "2:34 apps.a.versions.v1.module: there is no file `n.mjs`; paths are relative to the file's folder",
    ],
    [
      'a missing script',
      app('script: n.mjs, port: 80'),
      "2:16 apps.a.script: there is no file `n.mjs`; paths are relative to the file's folder",
    ],
    [
      'a missing handler',
      app('handler: n.mjs, port: 80'),
      "2:17 apps.a.handler: there is no file `n.mjs`; paths are relative to the file's folder",
    ],
    [
      'a missing env_file',
      app('command: [x], env_file: .env'),
      "2:32 apps.a.env_file: there is no file `.env`; paths are relative to the file's folder",
    ],
    [
      'a missing env_file of a list',
      app('command: [x], env_file: [s.mjs, .env]'),
      "2:40 apps.a.env_file[1]: there is no file `.env`; paths are relative to the file's folder",
    ],
    [
      'a missing cwd',
      app('command: [x], cwd: nowhere'),
      "2:27 apps.a.cwd: there is no folder `nowhere`; paths are relative to the file's folder",
    ],
    ['a cwd that is a file', app('command: [x], cwd: m.mjs'), '2:27 apps.a.cwd: is a file `m.mjs`, not a folder'],
    [
      'a missing program',
      app('command: [./x]'),
      '2:18 apps.a.command[0]: there is no program `./x`; it is looked for from `cwd`',
    ],
    [
      'a program that cannot run',
      app('command: [./s.mjs]'),
      '2:18 apps.a.command[0]: the file `./s.mjs` is not executable: make it so, or name its interpreter first',
    ],
    // YAML
    [
      'an empty file',
      '',
      '1:1 the file is empty: write `apps:` and your apps below it, or let `supervisor init` write a first one',
    ],
    [
      'only comments',
      '# nothing\n',
      '1:1 the file is empty: write `apps:` and your apps below it, or let `supervisor init` write a first one',
    ],
    [
      'a list',
      '- a\n',
      '1:1 the file must be a map of keys: write `apps:` and your apps below it, or let `supervisor init` write a first one',
    ],
    [
      'a key twice',
      'apps:\n  a: { command: [x] }\n  a: { command: [y] }\n',
      '3:3 apps.a: is defined twice, first on line 2',
    ],
    [
      'a merge key',
      'apps:\n  a: &a { command: [x] }\n  b:\n    <<: *a\n    command: [y]\n',
      '4:5 apps.b["<<"]: merge keys (`<<`) are not supported: write the keys out',
    ],
    ['__proto__', 'apps:\n  __proto__: { command: [x] }\n', '2:3 apps.__proto__: this key is not allowed anywhere'],
    [
      'constructor',
      app('module: m.mjs, options: { a: { constructor: 1 } }'),
      '2:39 apps.a.options.a.constructor: this key is not allowed anywhere',
    ],
    [
      'prototype',
      app('command: [x], env: { prototype: 1 }'),
      '2:29 apps.a.env.prototype: this key is not allowed anywhere',
    ],
    ['a key that is a list', app('command: [x], env: { [a]: 1 }'), '2:29 apps.a.env: a key must be plain text'],
    [
      'a tag',
      app('command: [x], env: { A: !ENV B }'),
      '2:32 tags (`!name`) are not supported; put text that begins with `!` in quotes',
    ],
    [
      'an alias of nothing',
      app('command: [x], env: { A: *B }'),
      '2:32 apps.a.env.A: is an alias (`*name`) of nothing that is complete before it; put text that begins with `*` in quotes',
    ],
    ['two documents', 'apps: {}\n---\napps: {}\n', '2:1 holds more than one document (`---`): a configuration is one'],
    [
      'a flow map that never ends',
      'apps:\n  a: { command: [x]\n  b: 3\n',
      '3:3 Flow map in block collection must be sufficiently indented and end with a }',
    ],
  ])('%s', (_what, yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([`supervisor.yaml:${problem}`]);
  });
});

it('names all of them at once, in the order of the file', () => {
  const problems = problemsOf(`version: 2
control: { host: 0.0.0.0, auth: none }
apps:
  a:
    kind: htpp
    script: none.mjs
    port: 9700
    workers: { min: 3, max: 2, most: 4 }
    stop: { grace: 30 }
    env: { A: [] }
    cwd: nowhere
    depends_on: { c: redy, zz: ready }
  a: {}
  b:
    command: [x]
    timeout: 5s
    recycle: { max_users: 3 }
  c: 7
inference: { default_model: nobody }
`);
  expect(problems.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
    [
      'supervisor.yaml:1:10 version:',
      'supervisor.yaml:2:33 control.auth:',
      'supervisor.yaml:5:11 apps.a.kind:',
      'supervisor.yaml:6:13 apps.a.script:',
      'supervisor.yaml:7:11 apps.a.port:',
      'supervisor.yaml:8:32 apps.a.workers.most:',
      'supervisor.yaml:8:14 apps.a.workers:',
      'supervisor.yaml:9:20 apps.a.stop.grace:',
      'supervisor.yaml:10:15 apps.a.env.A:',
      'supervisor.yaml:11:10 apps.a.cwd:',
      'supervisor.yaml:12:22 apps.a.depends_on.c:',
      'supervisor.yaml:12:28 apps.a.depends_on.zz:',
      'supervisor.yaml:13:3 apps.a:',
      'supervisor.yaml:16:5 apps.b.timeout:',
      'supervisor.yaml:17:16 apps.b.recycle.max_users:',
      'supervisor.yaml:18:6 apps.c:',
      'supervisor.yaml:19:29 inference.default_model:',
    ].sort(byPosition),
  );
});

it('names several syntax errors', () => {
  const problems = problemsOf('apps:\n  a: { x: "\\q" }\n  b: [1\n  c: "\\z"\n');
  expect(problems.map((line) => line.split(' ')[0])).toEqual([
    'supervisor.yaml:2:12',
    'supervisor.yaml:4:3',
    'supervisor.yaml:4:7',
  ]);
});

it('stops at a hundred', () => {
  const many = Array.from({ length: 130 }, (_, index) => `k${index}: 1\n`).join('');
  const problems = problemsOf(`apps: {}\n${many}`);
  expect(problems).toHaveLength(101);
  expect(problems.at(-1)).toBe('supervisor.yaml: and 30 more');
});

describe('hostile files end soon, with a clear error', () => {
  it('aliases of aliases', () => {
    const levels = ['x: &x0 [1,1,1,1,1,1,1,1,1]'];
    for (let level = 1; level < 12; level++)
      levels.push(
        `x${level}: &x${level} [${Array(9)
          .fill(`*x${level - 1}`)
          .join(',')}]`,
      );
    const problems = problemsOf(`${levels.join('\n')}\napps: {}\n`);
    expect(problems).toEqual([
      expect.stringMatching(/^supervisor\.yaml:\d+:\d+ .*aliases .* stand for more than 10000 values$/),
    ]);
  });

  it('an alias of what it stands in', () => {
    expect(problemsOf('apps: &a { b: *a }\n')[0]).toContain(
      'is an alias (`*name`) of nothing that is complete before it',
    );
  });

  it.each([1000, 300_000])('%d levels', (depth) => {
    expect(problemsOf('['.repeat(depth) + ']'.repeat(depth))).toEqual([
      expect.stringContaining('nested more than 64 levels deep'),
    ]);
  });

  it('tens of thousands of keys', () => {
    const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(problemsOf(`${keys}\napps: {}\n`)).toHaveLength(101);
  });

  it('more than 1 MiB', () => {
    expect(problemsOf(`#${'x'.repeat(1024 ** 2)}\napps: {}\n`)).toEqual([
      'supervisor.yaml is larger than 1MiB: no configuration needs that',
    ]);
  });
});

describe('files that are none', () => {
  it('a missing one', () => {
    const file = path.join(folderWith({}), 'none.yaml');
    expect(refusal(() => loadConfig(file, { env: {} }))).toEqual([
      `${file} does not exist: \`supervisor init\` writes a first one, or name another file`,
    ]);
  });

  it('a folder', () => {
    const dir = folderWith({});
    mkdirSync(path.join(dir, 'supervisor.yaml'));
    expect(refusal(() => loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} }))[0]).toMatch(
      /is a folder, not a configuration file/,
    );
  });

  it('a path through a file', () => {
    const dir = folderWith({ x: '' });
    expect(refusal(() => loadConfig(path.join(dir, 'x', 'supervisor.yaml'), { env: {} }))[0]).toMatch(/does not exist/);
  });

  it('bytes that are no UTF-8', () => {
    const dir = folderWith({});
    const file = path.join(dir, 'supervisor.yaml');
    writeFileSync(file, Buffer.from([0x61, 0x3a, 0xff, 0xfe]));
    expect(refusal(() => loadConfig(file, { env: {} }))[0]).toMatch(/is not UTF-8 text/);
  });

  it.skipIf(process.getuid?.() === 0)('one that may not be read (not as root, who may read all)', () => {
    const dir = folderWith({ 'supervisor.yaml': 'apps: {}' });
    chmodSync(path.join(dir, 'supervisor.yaml'), 0);
    expect(refusal(() => loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} }))[0]).toMatch(
      /EACCES; check its permissions/,
    );
  });
});

it('shows the file from the current folder where that is shorter', () => {
  const dir = folderWith({ 'supervisor.yaml': 'apps: 5' });
  const before = process.cwd;
  process.cwd = () => dir;
  try {
    expect(refusal(() => loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} }))[0]).toMatch(
      /^supervisor\.yaml:1:7 /,
    );
  } finally {
    process.cwd = before;
  }
});

it('has the one problem, or the first of several, in the message, and never a stack', () => {
  const messageOf = (yaml: string) => {
    const dir = folderWith({ 'supervisor.yaml': yaml });
    try {
      loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} });
    } catch (error) {
      expect(error).toBeInstanceOf(SupError);
      return (error as SupError).message;
    }
    return 'loaded';
  };
  expect(messageOf('apps: 5\n')).toMatch(/supervisor\.yaml:1:7 apps: must be a map/);
  expect(messageOf('apps: 5\nx: 1\n')).toMatch(/has 2 problems, the first: .*supervisor\.yaml:1:7 apps: must be a map/);
  for (const yaml of ['apps: 5\n', '{', 'a: *b\n', 'apps: { a: { kind: 1 } }'])
    expect(messageOf(yaml)).not.toMatch(/\n|at .*\(?file:|node:internal| {4}at /);
});

describe('secrets of the environment stay out of messages', () => {
  it.each([
    'apps: { a: { command: [x], env: { A: "SECRET" SECRET } } }',
    'apps: { a: { command: [x], env: { A: !SECRET } } }',
    'apps: { a: { command: [x], env: { A: *SECRET } } }',
    'apps: { a: { command: [x], env: { A: %SECRET } } }',
    'apps: { a: { command: [x], env: { A: @SECRET } } }',
    'apps: { a: { command: [x], env: { A: { SECRET: 1 } } } }',
    'apps:\n  a:\n    command: [x]\n    env:\n      A: |SECRET\n      B: 1\n',
    'apps:\n  a:\n    command: [x]\n    env:\n      A: "SECRET\n',
    'apps:\n  a:\n    command: [x]\n    env: [A=SECRET]\n',
    'apps:\n  a:\n    command: [x]\n    env: A=SECRET\n',
  ])('%j', (yaml) => {
    const problems = problemsOf(yaml);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain('SECRET');
  });
});

function byPosition(a: string, b: string): number {
  const [lineA, columnA] = a.split(' ')[0]!.split(':').slice(1).map(Number);
  const [lineB, columnB] = b.split(' ')[0]!.split(':').slice(1).map(Number);
  return lineA! - lineB! || columnA! - columnB!;
}
