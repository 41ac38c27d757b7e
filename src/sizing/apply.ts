/** Writes a size into a configuration file and changes nothing else in it. */
import { readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { isMap, isScalar, type Node, parseDocument, type YAMLMap } from 'yaml';
import { SupError } from '../errors.js';

export interface Sized {
  text: string;
  /** What changed, such as `workers.max: 2 → 4`; none where it said so already. */
  changes: string[];
}

/** A piece of the text, and what takes its place. */
interface Edit {
  from: number;
  to: number;
  text: string;
}

/**
 * Replaces a file atomically. Returns what changed.
 * @param cores what `max` stands for
 * @throws SupError SUP_ACT_FAILED where the file says it in a way that cannot be edited safely
 */
export async function applySize(file: string, app: string, workers: number, cores: number): Promise<string[]> {
  const { text, changes } = withSize(readFileSync(file, 'utf8'), app, workers, cores);
  if (changes.length > 0) await writeFileAtomic(file, text);
  return changes;
}

/** The same for a text. Of a range, the `max` is set, and the `min` where it would be above; else the number. */
export function withSize(text: string, app: string, workers: number, cores: number): Sized {
  const refuse = (why: string) =>
    new SupError('SUP_ACT_FAILED', `the size of ${app} was not written: ${why}; set \`workers\` by hand`);
  // Words only: a name such as 2 is found by its text, and pieces of the text are all that is needed.
  const document = parseDocument(text, { schema: 'failsafe', resolveKnownTags: false });
  const keys = document.getIn(['apps', app], true);
  if (document.errors.length > 0 || !isMap(keys)) throw refuse('the app is not written out in the file');
  const edits: Edit[] = [];
  const changes: string[] = [];
  const replace = (key: string, node: unknown) => {
    if (!isScalar(node) || node.anchor || !node.range) throw refuse(`\`${key}\` is an alias, or others refer to it`);
    if (node.value === String(workers)) return;
    edits.push({ from: node.range[0], to: node.range[1], text: String(workers) });
    changes.push(`${key}: ${String(node.value)} → ${workers}`);
  };
  const add = (map: YAMLMap, key: string, path: string) => {
    edits.push(insertion(text, map, `${key}: ${workers}`));
    changes.push(`${path}: ${workers}`);
  };
  const written = keys.get('workers', true) as Node | undefined;
  if (written === undefined) add(keys, 'workers', 'workers');
  else if (!isMap(written)) replace('workers', written);
  else {
    if (written.anchor) throw refuse('others refer to its `workers`');
    const min = written.get('min', true) as Node | undefined;
    const max = written.get('max', true) as Node | undefined;
    if (isScalar(min) && (min.value === 'max' ? cores : Number(min.value)) > workers) replace('workers.min', min);
    if (max === undefined) add(written, 'max', 'workers.max');
    else replace('workers.max', max);
  }
  const edited = edits
    // From the end, so that the places before it stay where they are.
    .sort((a, b) => b.from - a.from)
    .reduce((all, { from, to, text: piece }) => all.slice(0, from) + piece + all.slice(to), text);
  return { text: edited, changes };
}

/** Before the first key of a map, in the map's own style. */
function insertion(text: string, map: YAMLMap, pair: string): Edit {
  const [first] = map.items;
  const at = (first?.key as Node | undefined)?.range?.[0] ?? (map.range?.[0] ?? 0) + 1;
  if (map.flow) return { from: at, to: at, text: first ? `${pair}, ` : ` ${pair} ` };
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  return { from: at, to: at, text: `${pair}${newline}${' '.repeat(at - lineStart)}` };
}
