/** Apps that other apps name in their configuration: in their own file, and here. */
import type { AppConfig } from '../config/schema.js';

/** With the names that it and those that it names go by here. @param names by those in its file */
export function renamed(app: AppConfig, names: ReadonlyMap<string, string>): AppConfig {
  const nameOf = (name: string) => names.get(name) ?? name;
  const next = {
    ...app,
    name: nameOf(app.name),
    dependsOn: app.dependsOn.map((dependency) => ({ ...dependency, app: nameOf(dependency.app) })),
  };
  if (next.kind !== 'model') return next;
  const requires = next.unload.requires.map((target) => {
    const name = appOf(target);
    return `${nameOf(name)}${target.slice(name.length)}`;
  });
  return { ...next, unload: { ...next.unload, requires } };
}

/** Those whose models it cannot do without. */
export function requiredApps(config: AppConfig): string[] {
  return config.kind === 'model' ? [...new Set(config.unload.requires.map(appOf))] : [];
}

/** Of `app` or `app@version`. */
function appOf(target: string): string {
  return target.split('@', 1)[0] as string;
}
