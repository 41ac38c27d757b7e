/** What can only be seen with all apps side by side. */
import net from 'node:net';
import { circlesOf } from './circles.js';
import { didYouMean, nearest } from './nearest.js';
import type { Report } from './report.js';
import type { AppConfig, ControlConfig, InferenceConfig } from './types.js';

export interface Whole {
  control: ControlConfig;
  inference: InferenceConfig;
  /** The apps that could be read. */
  apps: readonly AppConfig[];
  /** Every name under `apps:`, those of apps with errors too. */
  names: readonly string[];
  /** Whether an app, readable or not, is a model: only then the inference port is opened. */
  hasModels: boolean;
}

export function checkWhole(whole: Whole, report: Report): void {
  checkControl(whole.control, report);
  checkPorts(whole, report);
  checkDefaultModel(whole, report);
  checkDependencies(whole, report);
}

function checkControl({ auth, host }: ControlConfig, report: Report): void {
  if (auth !== 'none' || isLoopback(host)) return;
  report.problem(
    ['control', 'auth'],
    '`none` is refused off loopback: whoever reaches the port could run programs; use `token`',
  );
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return net.isIPv4(host) && host.startsWith('127.');
}

interface Listener {
  path: readonly string[];
  host: string;
  port: number;
  isApp: boolean;
}

function checkPorts({ control, inference, apps, hasModels }: Whole, report: Report): void {
  const listeners: Listener[] = [{ path: ['control', 'port'], host: control.host, port: control.port, isApp: false }];
  if (hasModels)
    listeners.push({ path: ['inference', 'port'], host: inference.host, port: inference.port, isApp: false });
  for (const app of apps) {
    if (app.kind === 'http')
      listeners.push({ path: ['apps', app.name, 'port'], host: app.host, port: app.port, isApp: true });
  }
  for (const [index, listener] of listeners.entries()) {
    const other = listeners.slice(0, index).find((before) => clash(before, listener));
    if (!other) continue;
    // Pointing at a key that is there: a default port is not.
    const [at, taken] = report.has(listener.path) ? [listener, other] : [other, listener];
    const first = `${taken.path.slice(0, -1).join('.')}`;
    report.problem(
      at.path,
      `is the port of \`${first}\`${report.has(taken.path) ? '' : ' (by default)'} too: each needs its own`,
    );
  }
}

function clash(a: Listener, b: Listener): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  // Two apps on one port are one too many even on different addresses: a user sees only the port.
  if (a.isApp && b.isApp) return true;
  return isWildcard(a.host) || isWildcard(b.host) || a.host === b.host || (isLoopback(a.host) && isLoopback(b.host));
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function checkDefaultModel({ inference, apps, names }: Whole, report: Report): void {
  const wanted = inference.defaultModel;
  const at = ['inference', 'default_model'];
  if (wanted === null) return;
  const models = apps.filter((app) => app.kind === 'model').map((app) => app.name);
  if (!names.includes(wanted)) report.problem(at, `names no app${didYouMean(nearest(wanted, models))}`);
  else if (apps.some((app) => app.name === wanted && app.kind !== 'model')) {
    report.problem(at, `is not a model app${didYouMean(models.length === 1 ? models[0]! : null)}`);
  }
}

function checkDependencies({ apps, names }: Whole, report: Report): void {
  for (const app of apps) {
    const wanteds = app.dependsOn.map((dependency) => dependency.app);
    for (const [index, wanted] of wanteds.entries()) {
      const at = dependencyPath(app.name, wanted, index, report);
      if (wanteds.indexOf(wanted) < index) report.problem(at, 'is named twice', 'key');
      else if (wanted === app.name) report.problem(at, 'an app cannot depend on itself', 'key');
      else if (!names.includes(wanted)) {
        const others = names.filter((name) => name !== app.name);
        const named = report.isSecret(at) ? '' : ` \`${wanted}\``;
        report.problem(at, `there is no app${named}${didYouMean(nearest(wanted, others))}`, 'key');
      }
    }
  }
  const next = new Map(apps.map((app) => [app.name, app.dependsOn.map((dependency) => dependency.app)]));
  for (const circle of circlesOf(next)) {
    report.problem(['apps', circle[0]!, 'depends_on'], `is a circle: ${[...circle, circle[0]!].join(' → ')}`, 'key');
  }
}

/** The key of a map, or the element of a list. */
function dependencyPath(app: string, wanted: string, index: number, report: Report): string[] {
  const at = ['apps', app, 'depends_on'];
  return report.has([...at, wanted]) ? [...at, wanted] : [...at, String(index)];
}
