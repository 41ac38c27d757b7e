/** Which kind an app is, and that it runs one thing only. Known before its keys are read, so that errors are about that kind alone. */
import { APP_KINDS, type AppKind } from './app-schema.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';

/** What an app can run, with the kind that follows from it. */
const RUNS: readonly (readonly [key: string, kind: AppKind])[] = [
  ['module', 'model'],
  ['versions', 'model'],
  ['script', 'http'],
  ['handler', 'http'],
  ['command', 'command'],
];

type RawApp = Readonly<Record<string, unknown>>;

/** The kind that an app says, or that its keys show; null where nothing does. */
export function kindOf(app: RawApp): AppKind | null {
  const said = app.kind;
  if (isKind(said)) return said;
  const shown = RUNS.find(([key]) => Object.hasOwn(app, key))?.[1];
  if (typeof said === 'string') {
    const meant = nearest(said, APP_KINDS);
    if (isKind(meant)) return meant;
  }
  return shown ?? (Object.hasOwn(app, 'port') ? 'http' : null);
}

/** The app with only what its kind can have as its program; what is wrong with that is reported. */
export function readKind(name: string, app: RawApp, report: Report): { kind: AppKind; app: RawApp } | null {
  const path = ['apps', name];
  const kind = kindOf(app);
  const clean: Record<string, unknown> = { ...app };
  if (Object.hasOwn(app, 'kind') && !isKind(app.kind)) {
    const hidden = report.isSecret([...path, 'kind']) || typeof app.kind !== 'string';
    const meant = typeof app.kind === 'string' ? nearest(app.kind, APP_KINDS) : null;
    const kinds = APP_KINDS.map((known) => `\`${known}\``).join(', ');
    report.problem(
      [...path, 'kind'],
      `must be one of ${kinds}${hidden ? '' : `, not \`${app.kind}\``}${didYouMean(meant)}`,
    );
    delete clean.kind;
  }
  if (kind === null) {
    report.problem(path, 'does not say what to run: write `module`, `script`, `handler` or `command`', 'key');
    return null;
  }
  const [first, ...others] = RUNS.map(([key]) => key).filter((key) => Object.hasOwn(app, key));
  for (const other of others) {
    report.problem(
      [...path, other],
      `cannot stand beside \`${first}\`; an app runs one of module, versions, script, handler or command`,
      'key',
    );
    delete clean[other];
  }
  return { kind, app: clean };
}

function isKind(value: unknown): value is AppKind {
  return APP_KINDS.some((kind) => kind === value);
}
