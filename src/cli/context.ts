import picocolors from 'picocolors';
import type { Home } from '../master/home.js';
import { homePaths } from '../master/home.js';
import { Client } from './client.js';
import type { Io, Output } from './io.js';
import { printable, printableJson } from './printable.js';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** What every command gets: where it writes, whom it asks. Data goes to stdout, words about it to stderr. */
export class Context {
  readonly home: Home;
  readonly client: Client;
  readonly colors: Colors;
  readonly errorColors: Colors;

  constructor(
    readonly io: Io,
    /** What followed `--`, or null. */
    readonly afterDashes: readonly string[] | null,
  ) {
    this.home = homePaths(io.env);
    this.client = new Client(this.home.socket);
    this.colors = picocolors.createColors(hasColors(io.stdout, io.env));
    this.errorColors = picocolors.createColors(hasColors(io.stderr, io.env));
  }

  /** Text of others must have gone through `printable` before. */
  print(text: string): void {
    this.io.stdout.write(`${text}\n`);
  }

  printJson(value: unknown): void {
    this.print(printableJson(value, 2));
  }

  /** `text` may be of others. */
  say(text: string): void {
    this.io.stderr.write(`${printable(text)}\n`);
  }

  warn(message: string): void {
    this.io.stderr.write(`${this.errorColors.yellow('warning:')} ${printable(message)}\n`);
  }

  fail(message: string): void {
    this.io.stderr.write(`${this.errorColors.red('error:')} ${printable(message)}\n`);
  }
}

function hasColors(output: Output, env: NodeJS.ProcessEnv): boolean {
  return output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
