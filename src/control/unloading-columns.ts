/** What rows of models say of unloading: in the list a few columns, in the details everything. */
import type { AppDetail, AppRow, PackageStatus, UnloadingStatus } from '../master/supervisor.js';
import { type PackageRow, packageRow } from './package-unloading-report.js';

/** Of models only. */
export interface UnloadingColumns {
  idle_seconds: number | null;
  preference: PackageStatus['preference'];
  /** Place in the order in which models go, from 1; null where nothing makes it go. */
  unload_rank: number | null;
  /** What keeps it. Null where it is due, or not loaded. */
  unload_why_not: string | null;
  /** Until then it stays, as far as its idle time decides; null: not known, or for ever. */
  unload_in_seconds: number | null;
}

export type ListRow = AppRow & Partial<UnloadingColumns>;
/** `unloading` is null for what is no model. */
export type DetailRow = AppDetail & { unloading: PackageRow | null };

export function withUnloadingColumns(rows: readonly AppRow[], status: UnloadingStatus): ListRow[] {
  const found = finder(status);
  return rows.map((row) => {
    const model = found(row);
    if (model === null) return row;
    const { idle_seconds, unload_rank, unload_why_not, unload_in_seconds } = packageRow(model);
    return { ...row, idle_seconds, preference: model.preference, unload_rank, unload_why_not, unload_in_seconds };
  });
}

export function withUnloading(rows: readonly AppDetail[], status: UnloadingStatus): DetailRow[] {
  const found = finder(status);
  return rows.map((row) => {
    const model = found(row);
    return { ...row, unloading: model === null ? null : packageRow(model) };
  });
}

function finder({ packages }: UnloadingStatus): (row: AppRow) => PackageStatus | null {
  const key = (name: string, version: string | null) => `${name}@${version}`;
  const byName = new Map(packages.map((each) => [key(each.model, each.version), each]));
  return (row) => byName.get(key(row.name, row.version)) ?? null;
}
