import { stringify } from 'yaml';
import { readValue } from '../../config/overrides.js';
import type { ConfigChange, ConfigReport } from '../../master/config-report.js';
import type { Context } from '../context.js';
import { EXIT, usage } from '../exit.js';
import { printableLines } from '../printable.js';
import { changesText, originsTable } from '../render/config.js';
import type { Run } from '../verbs.js';

export const run: Run = async (context, [verb, key, value], { json, origin }) => {
  if (verb === undefined) return origin ? showOrigins(context, json === true) : showValues(context, json === true);
  if (origin) throw usage('--origin is for the configuration as a whole: config --origin');
  if (verb === 'set') {
    if (key === undefined || value === undefined)
      throw usage('config set takes a key and its value: config set unloading.strategy aggressive');
    const body = { [key]: readValue(value, []) };
    return showChange(context, await context.client.patch<ConfigChange>('/api/config', body), json === true);
  }
  if (verb === 'reset') {
    if (value !== undefined) throw usage('config reset takes one key, or none for everything');
    const query = key === undefined ? '' : `?key=${encodeURIComponent(key)}`;
    return showChange(context, await context.client.delete<ConfigChange>(`/api/config${query}`), json === true);
  }
  throw usage(`config knows set and reset, not '${verb}'`);
};

async function showValues(context: Context, json: boolean): Promise<number> {
  const values = await context.client.get<Record<string, unknown>>('/api/config');
  if (json) context.printJson(values);
  else context.print(printableLines(stringify(values).trimEnd()));
  return EXIT.done;
}

async function showOrigins(context: Context, json: boolean): Promise<number> {
  const origins = await context.client.get<ConfigReport['origins']>('/api/config?origin=true');
  if (json) context.printJson(origins);
  else context.print(originsTable(origins, context.io.cwd, context.colors));
  return EXIT.done;
}

function showChange(context: Context, change: ConfigChange, json: boolean): number {
  for (const warning of change.warnings) context.warn(warning);
  if (json) context.printJson(change);
  else context.print(changesText(change));
  return EXIT.done;
}
