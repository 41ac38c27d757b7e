/** Pressure stall information: of our control group where it is told apart, else of the machine. */
import path from 'node:path';
import { type Cgroups, ownPressureFile } from './cgroup.js';
import { readIfThere } from './text-files.js';

export interface Stall {
  /** 0..1 of the last 10 s in which some task waited. */
  some: number;
  /** In which all waited; null where the kernel does not tell. */
  full: number | null;
}

/** Null without PSI in the kernel. @throws Error where there is a file that can't be understood */
export function readStall(name: 'memory' | 'cpu' | 'io', proc: string, cgroups: Cgroups | null): Stall | null {
  const own = cgroups && readIfThere(ownPressureFile(name, cgroups));
  const text = own ?? readIfThere(path.join(proc, 'pressure', name));
  if (text === null) return null;
  const some = average('some', text);
  if (some === null) throw new Error(`${name} pressure has no average: ${JSON.stringify(text.slice(0, 40))}`);
  return { some, full: average('full', text) };
}

/** From `some avg10=1.25 avg60=… avg300=… total=…`, in percent. */
function average(kind: 'some' | 'full', text: string): number | null {
  const percent = new RegExp(`^${kind} avg10=(\\d+(?:\\.\\d+)?) `, 'm').exec(text)?.[1];
  if (percent === undefined || Number(percent) > 100) return null;
  return Number(percent) / 100;
}
