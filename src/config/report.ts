/** Collects what is wrong with a configuration and says it with the place: `supervisor.yaml:4:16 apps.web.port: …`. */
import type { Finding, Parsed, Place, Setter } from './source.js';

type Path = readonly PropertyKey[];

interface Problem {
  offset: number;
  /** What was set over the file and is at fault, if it is not the file. */
  setter: Setter | null;
  text: string;
}

const MOST_SHOWN = 100;

export class Report {
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #faulty = new Set<string>();

  /** @param keyOf how a key is called where it was written; then no line is shown, for there is none */
  constructor(
    readonly shownFile: string,
    readonly parsed: Parsed,
    private readonly keyOf: ((path: Path) => Path) | null = null,
  ) {
    for (const finding of parsed.findings) this.#problems.push(this.#fromText(finding));
    for (const finding of parsed.warnings) this.#warnings.push(this.#fromText(finding));
  }

  /** `at: 'key'` points at the key, else at its value; what is missing is shown at the nearest parent that exists. */
  problem(path: Path, message: string, at: 'key' | 'value' = 'value'): void {
    this.#problems.push(this.#at(path, message, at));
    this.#faulty.add(pathText(path));
  }

  warning(path: Path, message: string): void {
    this.#warnings.push(this.#at(path, message, 'value'));
  }

  /** A variable of the environment that could not be applied. Its value is never part of the message. */
  variableProblem(variable: string, message: string): void {
    this.#problems.push({ offset: 0, setter: { kind: 'environment', variable }, text: message });
  }

  variableWarning(variable: string, message: string): void {
    this.#warnings.push({ offset: 0, setter: { kind: 'environment', variable }, text: message });
  }

  /** Whether the value at a path may be a secret: everything that is or becomes an environment variable. */
  isSecret(path: Path): boolean {
    return this.#find(path).nearest.setter?.kind === 'environment' || (path[0] === 'apps' && path[2] === 'env');
  }

  /** Whether a problem with exactly this key is known. */
  isFaulty(path: Path): boolean {
    return this.#faulty.has(pathText(path));
  }

  /** Whether something was written at a path, valid or not. */
  has(path: Path): boolean {
    return this.#find(path).exact;
  }

  problems(): string[] {
    const lines = this.#lines(this.#problems);
    if (lines.length <= MOST_SHOWN) return lines;
    return [...lines.slice(0, MOST_SHOWN), `${this.shownFile}: and ${lines.length - MOST_SHOWN} more`];
  }

  warnings(): string[] {
    return this.#lines(this.#warnings);
  }

  #lines(problems: readonly Problem[]): string[] {
    const inText = problems.filter((p) => p.setter === null).sort((a, b) => a.offset - b.offset);
    const setOver = problems
      .flatMap((p) => (p.setter === null ? [] : [{ name: nameOf(p.setter), text: p.text }]))
      .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
    const lines = [
      ...inText.map((p) => `${this.#positionOf(p.offset)} ${p.text}`),
      ...setOver.map((p) => `${p.name} ${p.text}`),
    ];
    return [...new Set(lines.map(printable))];
  }

  #positionOf(offset: number): string {
    if (this.keyOf) return `${this.shownFile}:`;
    const { line, column } = this.parsed.position(offset);
    return `${this.shownFile}:${line}:${column}`;
  }

  #fromText(finding: Finding): Problem {
    const label = finding.path.length > 0 ? `${pathText(finding.path)}: ` : '';
    const first = finding.first === undefined ? '' : `, first on line ${this.parsed.position(finding.first).line}`;
    return { offset: finding.offset, setter: null, text: `${label}${finding.message}${first}` };
  }

  #at(path: Path, message: string, at: 'key' | 'value'): Problem {
    const { nearest, exact } = this.#find(path);
    const key = this.keyOf ? this.keyOf(path) : path;
    const text = key.length > 0 ? `${pathText(key)}: ${message}` : message;
    return { offset: exact && at === 'value' ? nearest.value : nearest.key, setter: nearest.setter, text };
  }

  #find(path: Path): { nearest: Place; exact: boolean } {
    let nearest = this.parsed.place;
    for (const step of path) {
      const child = nearest.children.get(String(step));
      if (!child) return { nearest, exact: false };
      nearest = child;
    }
    return { nearest, exact: true };
  }
}

function nameOf(setter: Setter): string {
  return setter.kind === 'environment' ? setter.variable : 'run-time change';
}

/** One line that moves no cursor, whatever was quoted from the file. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** `apps.web.args[0]`, `apps["../x"]`. */
export function pathText(path: Path): string {
  return path
    .map((step, index) => {
      const text = String(step);
      if (/^\d+$/.test(text) && index > 0) return `[${text}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(text)) return `[${JSON.stringify(text)}]`;
      return index === 0 ? text : `.${text}`;
    })
    .join('');
}
