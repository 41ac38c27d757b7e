/** Our program as a user has it: the built command and what it prints, with a state folder of its own. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Client } from '../../src/cli/client.js';
import type { AppRow } from '../../src/master/supervisor.js';
import { type CommandResult, run, runOrThrow } from './command.js';
import { cli } from './paths.js';
import type { Scope } from './scope.js';
import { freePorts } from './wait.js';

const EXIT_NO_MASTER = 3;

export class OurSupervisor {
  readonly #env: NodeJS.ProcessEnv;
  readonly #home: string;

  private constructor(
    private readonly scope: Scope,
    private readonly dir: string,
    private readonly controlPort: number,
    readonly inferencePort: number,
  ) {
    this.#home = join(dir, 'home');
    this.#env = { ...scope.env, SUPERVISOR_HOME: this.#home };
  }

  /** Nothing runs yet; what it will start ends with the scope. */
  static async create(scope: Scope, name = 'ours'): Promise<OurSupervisor> {
    const dir = join(scope.dir, name);
    mkdirSync(dir);
    const [control, inference] = await freePorts(2);
    const ours = new OurSupervisor(scope, dir, control!, inference!);
    scope.defer(`${name}: supervisor kill`, () => ours.kill());
    return ours;
  }

  /** @param apps as under `apps:` in supervisor.yaml */
  writeConfig(apps: Record<string, unknown>, more: Record<string, unknown> = {}): string {
    const file = join(this.dir, 'supervisor.yaml');
    const control = { host: '127.0.0.1', port: this.controlPort };
    const inference = { host: '127.0.0.1', port: this.inferencePort, ...(more.inference ?? {}) };
    writeFileSync(file, stringify({ version: 1, project: 'bench', ...more, control, inference, apps }));
    return file;
  }

  /** @throws Error with what the command said, where its exit code is not 0 */
  command(...args: string[]): Promise<CommandResult> {
    return runOrThrow(this.scope, process.execPath, [cli, ...args], { env: this.#env, cwd: this.dir });
  }

  async list(): Promise<AppRow[]> {
    return JSON.parse((await this.command('list', '--json')).stdout) as AppRow[];
  }

  /** Asks the master itself: a command costs the CPU that a bench may be measuring. */
  ask<T>(path: string): Promise<T> {
    return new Client(join(this.#home, 'supervisor.sock')).get<T>(path);
  }

  get masterPid(): number {
    return (JSON.parse(readFileSync(join(this.#home, 'master.pid'), 'utf8')) as { pid: number }).pid;
  }

  /** Ends everything; nothing to end is fine. */
  async kill(): Promise<void> {
    const result = await run(this.scope, process.execPath, [cli, 'kill'], { env: this.#env, cwd: this.dir });
    if (result.code !== 0 && result.code !== EXIT_NO_MASTER)
      throw new Error(`supervisor kill failed (${result.code}): ${result.stderr}`);
  }
}
