/** The first supervisor.yaml of a folder: what can be seen in it, and the rest as comments to take over. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const PORT = 8080;
const SERVER_NAMES = ['server', 'app'].flatMap((name) => [`${name}.js`, `${name}.mjs`, `${name}.cjs`]);
const INDEX_NAMES = ['index.js', 'index.mjs', 'index.cjs'];

type Found = { kind: 'script'; script: string } | { kind: 'npm' } | { kind: 'nothing' };

/** Settings for a kind of machine; without one, what is recommended stands as a comment. */
interface Profile {
  head: string;
  /** One line each, for keys of an app. */
  workers: string;
  web: string;
  model: string;
  command: string;
}

const NO_PROFILE: Profile = {
  head: '',
  workers: 'workers: 2                           # or: max, for one on each core',
  web: '# recycle: { max_requests: 10000, max_memory: 300MiB }',
  model: 'recycle: { max_users: 50, user_key: header:x-user-id, max_age: 4h }',
  command: '# recycle: { max_memory: 300MiB }',
};

const FRESH_WORKERS =
  'recycle: { max_users: 50, user_key: header:x-user-id, max_requests: 1000, jitter: 10%, max_age: 4h }';

const PROFILES = {
  't3-large': {
    head: `# For 2 cores and 8 GB, as an AWS t3.large has: 2 GiB stay for the system.
limits: { memory: 6GiB }
# pressure: { medium: 50%, high: 70%, critical: 85%, cleanup: 80%, recycle: 90%, emergency: 95% }   # the defaults

`,
    workers: 'workers: 2                           # one for each core',
    web: FRESH_WORKERS,
    model: FRESH_WORKERS,
    command: 'recycle: { max_age: 4h, jitter: 10% }',
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
export const PROFILE_NAMES = Object.keys(PROFILES) as readonly ProfileName[];

/** The text of a configuration that loads as it is. */
export function starterConfig(dir: string, profile: ProfileName | null = null): string {
  const settings = profile === null ? NO_PROFILE : PROFILES[profile];
  return `${HEAD}${settings.head}${appsText(findApp(dir), settings)}${examples(settings)}`;
}

const HEAD = `# What is kept running here. All keys: docs/configuration.md, or \`supervisor schema\` for your editor.
# Check it with \`supervisor validate\`, start it with \`supervisor start\`.
version: 1

# The control plane that the command talks to, and the port for predictions (opened when there is a model).
# control:   { host: 127.0.0.1, port: 9700, auth: token }
# inference: { host: 127.0.0.1, port: 8000 }

`;

function examples({ model }: Profile): string {
  return `
  # A model: a module that exports defineModel({ load, predict }), asked by POST /predict.
  # intents:
  #   module: models/intents.mjs
  #   workers: { min: 0, max: 2 }        # 0: started by the first request
  #   ${model}

  # Any other program, in any language.
  # ticker:
  #   command: [python3, ticker.py]
  #   restart: { policy: always }
  #   stop: { grace: 10s }
`;
}

function appsText(found: Found, { workers, web, command }: Profile): string {
  switch (found.kind) {
    case 'script':
      return `apps:
  # A web app: its workers share one port, and a reload loses no request.
  web:
    script: ${quoted(found.script)}
    port: ${PORT}
    ${workers}
    ${web}
`;
    case 'npm':
      return `apps:
  # Runs \`npm start\`. With \`script: FILE\` and \`port: ${PORT}\` instead, it gets workers that share the port, and reloads without loss.
  web:
    command: [npm, start]
    ${command}
`;
    case 'nothing':
      // An empty map, so that the file loads until the first example is taken over.
      return `apps: {}                                 # remove the {} when the first app is here

  # A web app: its workers share one port, and a reload loses no request.
  # web:
  #   script: server.mjs
  #   port: ${PORT}
  #   ${workers}
${web.startsWith('#') ? '' : `  #   ${web}\n`}`;
  }
}

/** What \`npm start\` runs says most; a file named like a server next; \`main\` may be a library and comes late. */
function findApp(dir: string): Found {
  const { start, main } = readPackage(dir);
  const script = scriptOf(start);
  const candidates = [script, ...SERVER_NAMES, main, ...INDEX_NAMES];
  const isOther = start !== null && (script === null || !isFile(dir, script));
  if (isOther) return { kind: 'npm' };
  const found = candidates.find((candidate) => candidate !== null && isFile(dir, candidate));
  return found ? { kind: 'script', script: found } : { kind: 'nothing' };
}

function readPackage(dir: string): { start: string | null; main: string | null } {
  try {
    const manifest: unknown = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'));
    return { start: textAt(manifest, 'scripts', 'start'), main: textAt(manifest, 'main') };
  } catch {
    // No package.json, or one that npm could not read either: the file names are what is left to go by.
    return { start: null, main: null };
  }
}

function textAt(value: unknown, ...keys: string[]): string | null {
  let found: unknown = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return null;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === 'string' && found.trim() !== '' ? found.trim() : null;
}

/** The file of \`node server.js\`; anything more may matter, so then npm runs it. */
function scriptOf(start: string | null): string | null {
  return /^node\s+([\w./-]+\.[cm]?js)$/.exec(start ?? '')?.[1] ?? null;
}

function isFile(dir: string, file: string): boolean {
  return statSync(path.resolve(dir, file), { throwIfNoEntry: false })?.isFile() ?? false;
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./][\w./-]*$/.test(text) ? text : JSON.stringify(text);
}
