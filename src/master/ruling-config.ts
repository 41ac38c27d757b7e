import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.js';

/** What a file says of the whole box and not of its own apps. */
export type BoxKeys = Pick<Config, 'limits' | 'sensing' | 'pressure' | 'cpu' | 'models' | 'unloading'>;

/**
 * There is one box, and several files may speak of it: the first one in force that says anything rules. Others that say something
 * else are warned about; a file without such keys (a program started without a file has none) changes nothing.
 * @param inForce in the order in which they were applied first
 * @param isChanged whether a file has a word of the box by a change at run time, be it that all is standard
 */
export function rulingConfig(
  inForce: readonly Config[],
  standard: BoxKeys,
  isChanged: (config: Config) => boolean = () => false,
): { ruling: Config | null; warnings: string[] } {
  const speaking = inForce.filter((config) => isChanged(config) || !isDeepStrictEqual(boxKeys(config), standard));
  const [ruling = inForce[0] ?? null, ...others] = speaking;
  const warnings = others
    .filter((other) => ruling && !isDeepStrictEqual(boxKeys(other), boxKeys(ruling)))
    .map(
      (other) =>
        `${other.file}: its limits, sensing, pressure, cpu, models and unloading have no effect while ${ruling?.file} is in force; write them there`,
    );
  return { ruling, warnings };
}

export function boxKeys({ limits, sensing, pressure, cpu, models, unloading }: BoxKeys): BoxKeys {
  return { limits, sensing, pressure, cpu, models, unloading };
}
