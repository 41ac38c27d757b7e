/** The first supervisor.yaml of a folder: what can be seen in it, and the rest as comments to take over. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const PORT = 8080;
const SERVER_NAMES = ['server', 'app'].flatMap((name) => [`${name}.js`, `${name}.mjs`, `${name}.cjs`]);
const INDEX_NAMES = ['index.js', 'index.mjs', 'index.cjs'];

type Found = { kind: 'script'; script: string } | { kind: 'npm' } | { kind: 'nothing' };

/** The text of a configuration that loads as it is. */
export function starterConfig(dir: string): string {
  return `${HEAD}${appsText(findApp(dir))}${EXAMPLES}`;
}

const HEAD = `# What is kept running here. All keys: docs/configuration.md, or \`supervisor schema\` for your editor.
# Check it with \`supervisor validate\`, start it with \`supervisor start\`.
version: 1

# The control plane that the command talks to, and the port for predictions (opened when there is a model).
# control:   { host: 127.0.0.1, port: 9700, auth: token }
# inference: { host: 127.0.0.1, port: 8000 }

`;

const EXAMPLES = `
  # A model: a module that exports defineModel({ load, predict }), asked by POST /predict.
  # intents:
  #   module: models/intents.mjs
  #   workers: { min: 0, max: 2 }        # 0: started by the first request
  #   recycle: { max_users: 50, user_key: header:x-user-id, max_age: 4h }

  # Any other program, in any language.
  # ticker:
  #   command: [python3, ticker.py]
  #   restart: { policy: always }
  #   stop: { grace: 10s }
`;

function appsText(found: Found): string {
  switch (found.kind) {
    case 'script':
      return `apps:
  # A web app: its workers share one port, and a reload loses no request.
  web:
    script: ${quoted(found.script)}
    port: ${PORT}
    workers: 2                           # or: max, for one on each core
    # recycle: { max_requests: 10000, max_memory: 300MiB }
`;
    case 'npm':
      return `apps:
  # Runs \`npm start\`. With \`script: FILE\` and \`port: ${PORT}\` instead, it gets workers that share the port, and reloads without loss.
  web:
    command: [npm, start]
    # recycle: { max_memory: 300MiB }
`;
    case 'nothing':
      // An empty map, so that the file loads until the first example is taken over.
      return `apps: {}                                 # remove the {} when the first app is here

  # A web app: its workers share one port, and a reload loses no request.
  # web:
  #   script: server.mjs
  #   port: ${PORT}
  #   workers: 2
`;
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
