/** What to say about a key that is not valid where it stands: which was meant, where it belongs, or why it cannot be. */
import { keyOfAlias } from './aliases.js';
import { APP_KINDS, APP_SCHEMAS, type AppKind } from './app-schema.js';
import { keyPaths, shapeAt } from './keys.js';
import { didYouMean, nearest } from './nearest.js';
import { fileSchema } from './schema.js';

type Path = readonly PropertyKey[];

const NO_REQUESTS =
  "the supervisor does not see a command's requests; use max_age or max_memory, or make it an http app";
const IMPOSSIBLE: Readonly<Partial<Record<AppKind, Readonly<Record<string, string>>>>> = {
  command: {
    'recycle.max_users': NO_REQUESTS,
    'recycle.max_requests': NO_REQUESTS,
    'recycle.user_key': NO_REQUESTS,
    health: 'a command sends no heartbeat that could be missed',
    'limits.heap': 'what a command runs may be no Node at all; write its own flag into `command`',
    scale: 'the supervisor does not see what a command has to do; scale it by hand',
    port: 'to share a port between workers, write `kind: http`',
  },
  model: { 'ready.probe': 'a model is ready when load and warmup have resolved' },
};

/** @param path From the top of the app, ending with the unknown key. */
export function explainAppKey(kind: AppKind, path: Path): string {
  const key = String(path.at(-1));
  const dotted = path.join('.');
  const owners = APP_KINDS.filter((other) => other !== kind && keyPaths(APP_SCHEMAS[other]).includes(dotted));
  const why = IMPOSSIBLE[kind]?.[dotted];
  if (owners.length > 0) {
    const belongs = `belongs to kind ${owners.map((owner) => `\`${owner}\``).join(' and ')}, and this app is of kind \`${kind}\``;
    return why === undefined ? belongs : `${belongs}: ${why}`;
  }
  const guess = nearest(key, siblingsOf(APP_SCHEMAS[kind], path));
  // A group of the file by its exact name is no misspelling: `models` is not `module`, though `version` may be `versions`.
  const meant = shapeAt(fileSchema, path)?.kind === 'map' ? null : guess;
  if (meant === null && keyPaths(fileSchema).includes(dotted)) {
    return `is no key of an app: \`${dotted}\` stands at the top of the file, for all apps together`;
  }
  const alias = keyOfAlias(key);
  if (meant === null && alias?.scope === 'file') return `unknown key; write \`${alias.key}\` at the top of the file`;
  return `unknown key${didYouMean(meant ?? alias?.key ?? elsewhere(key, kind))}`;
}

/** @param path From the top of the file, ending with the unknown key. */
export function explainFileKey(path: Path, value: unknown): string {
  const key = String(path.at(-1));
  const meant = nearest(key, siblingsOf(fileSchema, path));
  if (meant === null && path.length === 1 && looksLikeApp(value)) return `unknown key; apps stand under \`apps:\``;
  if (meant === null && path.length === 1 && isAppKey(key)) return 'is a key of an app: write it in `apps.NAME`';
  const alias = keyOfAlias(key);
  if (meant === null && alias?.scope === 'app') return `unknown key; write \`${alias.key}\` in \`apps.NAME\``;
  return `unknown key${didYouMean(meant ?? alias?.key ?? byLastKey(key, keyPaths(fileSchema)))}`;
}

/** The same name under another key of the app, else a similar one: `max_request` is recycle.max_requests. */
function elsewhere(key: string, kind: AppKind): string | null {
  return byLastKey(key, keyPaths(APP_SCHEMAS[kind]));
}

function byLastKey(key: string, paths: readonly string[]): string | null {
  const last = (path: string) => path.slice(path.lastIndexOf('.') + 1);
  const meant = nearest(key, [...new Set(paths.map(last))]);
  return meant === null ? null : (paths.find((path) => last(path) === meant) ?? null);
}

function siblingsOf(schema: Parameters<typeof shapeAt>[0], path: Path): string[] {
  const shape = shapeAt(schema, path.slice(0, -1));
  return shape?.kind === 'map' ? [...shape.keys.keys()] : [];
}

function isAppKey(key: string): boolean {
  return APP_KINDS.some((kind) => keyPaths(APP_SCHEMAS[kind]).includes(key));
}

function looksLikeApp(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return ['kind', 'module', 'versions', 'script', 'handler', 'command'].some((key) => Object.hasOwn(value, key));
}
