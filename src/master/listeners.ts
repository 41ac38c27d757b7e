import type { Config, ControlConfig, InferenceConfig } from '../config/schema.js';
import { listenControlSocket, listenControlTcp } from '../control/server.js';
import { SupError } from '../errors.js';
import type { ListeningServer } from '../http/listen.js';
import { listenInference } from '../inference/server.js';
import type { Supervisor } from './supervisor.js';

export interface ListenersDependencies {
  supervisor: Supervisor;
  socketPath: string;
  token: () => string;
  onError: (error: unknown) => void;
}

interface Open<C> {
  config: C;
  /** The file that asked for it; null once that one is gone. */
  file: string;
  server: ListeningServer;
}

/** The master's own doors: the unix socket always, TCP for control, TCP for predictions once there is a model. */
export class Listeners {
  #socket: ListeningServer | null = null;
  #control: Open<ControlConfig> | null = null;
  #inference: Open<InferenceConfig> | null = null;

  constructor(private readonly deps: ListenersDependencies) {}

  get addresses(): { control: string | null; inference: string | null } {
    return { control: this.#control?.server.address ?? null, inference: this.#inference?.server.address ?? null };
  }

  async openSocket(): Promise<void> {
    const { supervisor, socketPath, token, onError } = this.deps;
    this.#socket = await listenControlSocket({ supervisor, socketPath, tcp: null, token, onError });
  }

  /**
   * Opens what a configuration asks for, or moves it: the new one listens before the old one closes. A second file does not move the first one's.
   * @returns warnings: a default port that is taken is one
   * @throws SupError SUP_PORT_IN_USE for a port that the user chose
   */
  async apply(config: Config): Promise<string[]> {
    const { supervisor, socketPath, token, onError } = this.deps;
    const warnings: string[] = [];
    const { control, inference } = config;
    this.#control = await this.#move('control', this.#control, control, config.file, warnings, () =>
      listenControlTcp({ supervisor, socketPath, token, onError, tcp: control }),
    );
    if (this.#inference || config.apps.some((app) => app.kind === 'model'))
      this.#inference = await this.#move('inference', this.#inference, inference, config.file, warnings, () =>
        listenInference({ supervisor, token, onError, ...inference }),
      );
    return warnings;
  }

  async #move<C extends { host: string; port: number; explicitPort: boolean }>(
    what: 'control' | 'inference',
    open: Open<C> | null,
    config: C,
    file: string,
    warnings: string[],
    listen: () => Promise<ListeningServer>,
  ): Promise<Open<C> | null> {
    if (open && same(open.config, config)) return open;
    if (open && open.file !== file) {
      if (config.explicitPort && (config.port !== open.config.port || config.host !== open.config.host))
        warnings.push(
          `${what}: stays on ${open.server.address}, as ${open.file} has it; ${config.host}:${config.port} is not opened`,
        );
      return open;
    }
    // The same address with other rules can't be bound twice: there the old one goes first.
    const sameAddress = open !== null && open.config.host === config.host && open.config.port === config.port;
    if (sameAddress) await open.server.close();
    try {
      const server = await listen();
      if (open && !sameAddress) await open.server.close();
      return { config, file, server };
    } catch (error) {
      if (!(error instanceof SupError) || error.code !== 'SUP_PORT_IN_USE' || config.explicitPort) throw error;
      warnings.push(
        `${error.message}; ${what} answers only ${what === 'control' ? 'on the unix socket' : 'through the command line'}. Set ${what}.port to another port`,
      );
      return open;
    }
  }

  /** Predictions first: they may still be answered while control is needed. */
  async closeInference(): Promise<void> {
    await this.#inference?.server.close();
    this.#inference = null;
  }

  async close(): Promise<void> {
    await this.closeInference();
    await Promise.all([this.#control?.server.close(), this.#socket?.close()]);
    this.#control = this.#socket = null;
  }
}

function same(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
