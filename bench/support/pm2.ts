/** PM2 beside us: installed on demand, run with a state folder of its own, ended by its own command. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRun } from './bench.js';
import { type CommandResult, run, runOrThrow } from './command.js';
import { peersDir } from './paths.js';
import { peerInstalled, peerVersion } from './peers.js';
import type { Scope } from './scope.js';

const bin = join(peersDir, 'node_modules/pm2/bin/pm2');

export interface Pm2App {
  name: string;
  script: string;
  args?: string[];
  exec_mode: 'cluster' | 'fork';
  instances?: number;
  interpreter?: string;
  max_memory_restart?: string;
  env?: Record<string, string>;
}

interface Pm2Row {
  name: string;
  pid: number;
  pm2_env: { status: string };
}

export class Pm2 {
  readonly #env: NodeJS.ProcessEnv;
  readonly #home: string;

  private constructor(
    private readonly scope: Scope,
    private readonly dir: string,
  ) {
    this.#home = join(dir, 'home');
    this.#env = { ...scope.env, PM2_HOME: this.#home, PM2_DISABLE_VERSION_CHECK: 'true', NO_COLOR: '1' };
  }

  /** Null, with a note in the results, where it is not there and can't be installed. */
  static async create(bench: BenchRun): Promise<Pm2 | null> {
    if (!(await peerInstalled(bench, 'pm2', 'PM2'))) return null;
    const dir = join(bench.scope.dir, 'pm2');
    mkdirSync(dir);
    const pm2 = new Pm2(bench.scope, dir);
    bench.scope.defer('pm2 kill', () => pm2.kill());
    return pm2;
  }

  static get version(): string | null {
    return peerVersion('pm2');
  }

  writeConfig(apps: Pm2App[]): string {
    const file = join(this.dir, 'ecosystem.json');
    writeFileSync(file, JSON.stringify({ apps }));
    return file;
  }

  command(...args: string[]): Promise<CommandResult> {
    return runOrThrow(this.scope, process.execPath, [bin, ...args], { env: this.#env, cwd: this.dir });
  }

  async list(): Promise<Pm2Row[]> {
    const { stdout } = await this.command('jlist', '--silent');
    // The first command after an installation greets before it answers.
    const json = stdout.split('\n').findLast((line) => line.startsWith('['));
    if (json === undefined) throw new Error(`pm2 jlist printed no list: ${stdout}`);
    return JSON.parse(json) as Pm2Row[];
  }

  get daemonPid(): number {
    return Number(readFileSync(join(this.#home, 'pm2.pid'), 'utf8'));
  }

  /** Ends everything. Without a daemon there is nothing to end, and asking would start one. */
  async kill(): Promise<void> {
    if (!existsSync(join(this.#home, 'pm2.pid'))) return;
    await run(this.scope, process.execPath, [bin, 'kill'], { env: this.#env, cwd: this.dir });
  }
}
