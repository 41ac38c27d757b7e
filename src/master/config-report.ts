/** What is told of the configuration that is in force, and how it is changed while it is. */

/** One key, by its steps from the top of the file, and what it is to be: a value in the form of the file. */
export interface ConfigSetting {
  path: readonly string[];
  value: unknown;
}

export interface ConfigChange {
  /** Effective values, in the form of the file; keys whose value stays are left out. */
  changed: { key: string; before: unknown; after: unknown }[];
  /** Things a user should know that stopped nothing. */
  warnings: string[];
}

export interface ConfigReport {
  /** As one file would say it all, defaults included and values of `env` left out. */
  values: Record<string, unknown>;
  /** By dotted key. `origin`: default, `FILE:LINE:COLUMN`, `environment NAME` or `run time TIME`. */
  origins: Record<string, { value: unknown; origin: string }>;
}
