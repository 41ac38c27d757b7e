import { readFileSync } from 'node:fs';

/** From the package's own package.json, which stands two folders above the compiled sources. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
