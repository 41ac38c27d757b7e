import type { Timer } from '../clock.js';
import type { ModelAppConfig } from '../config/schema.js';
import { SupError } from '../errors.js';
import type { ModelInfo } from '../worker/protocol.js';
import { hashOf, MetadataFiles } from './metadata-files.js';
import type { ModelMetadata, TensorMetadata } from './model-status.js';
import { type ReaderDependencies, readModuleInfo } from './module-info.js';
import type { Entry, Registry } from './registry.js';

/** What a load that is under way tells, no child has to: on a small box it would only slow the load down. */
const HEAD_START_MS = 2000;
/** A module that could not be read is not read again for so long: each try is a process. */
const FAILURE_MS = 10_000;

export interface MetadataDependencies extends ReaderDependencies {
  registry: Registry;
  warn: (text: string) => void;
  /** Begins to load a version that is not loaded; whether it loads now. */
  wake: (entry: Entry, version: string) => boolean;
}

interface Target {
  entry: Entry;
  config: ModelAppConfig;
  version: string;
  module: string;
}

interface Pending {
  promise: Promise<ModelInfo>;
  resolve: (info: ModelInfo) => void;
  /** Asks the child, if it has not been asked yet. */
  read: () => void;
}

/** What models declare: from their workers while they are loaded, else as it was kept, else from a child that imports the module. */
export class ModelMetadataReader {
  readonly #files: MetadataFiles;
  /** By module: reads under way. */
  readonly #pending = new Map<string, Pending>();
  readonly #failures = new Map<string, { hash: string | null; error: unknown; until: number }>();
  /** What workers said that has been kept already. */
  readonly #kept = new WeakSet<ModelInfo>();
  readonly #tensors = new WeakMap<ModelInfo, Pick<ModelMetadata, 'inputs' | 'outputs'>>();
  /** One child at a time: a client that asks for all models starts no storm. */
  #lane: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: MetadataDependencies) {
    this.#files = new MetadataFiles(deps.home, deps.warn);
  }

  /** @throws SupError SUP_MODEL_NOT_FOUND, SUP_LOAD_FAILED, SUP_MODEL_ERROR */
  async of(model: string, version: string | null, { wake = false } = {}): Promise<ModelMetadata> {
    const target = this.#find(model, version);
    const info = loadedInfo(target.entry, target.version) ?? (await this.#unloaded(target, wake));
    return {
      name: target.entry.app.name,
      versions: target.config.versions.map((each) => each.version),
      version: target.version,
      platform: info.platform,
      ...this.#declared(target, info),
      rows: info.rows,
      streams: info.streams === true,
    };
  }

  /** Some of its workers may have loaded. */
  noticed({ app, model }: Entry): void {
    if (!model) return;
    for (const { version, module } of (app.config as ModelAppConfig).versions) {
      const info = model.info(version);
      if (!info || this.#kept.has(info)) continue;
      this.#kept.add(info);
      this.#pending.get(module)?.resolve(info);
      void this.#keep(module, info);
    }
  }

  /** A load has failed, and will not tell anything. */
  gaveUp({ app, model }: Entry): void {
    if (!model) return;
    for (const { module } of (app.config as ModelAppConfig).versions) this.#pending.get(module)?.read();
  }

  async #unloaded(target: Target, wake: boolean): Promise<ModelInfo> {
    const { entry, version, module } = target;
    const hash = await hashOf(module);
    const kept = hash === null ? null : await this.#files.read(module, hash);
    if (kept) return kept;
    const loads = wake && this.deps.wake(entry, version);
    const failure = this.#failures.get(module);
    if (failure && failure.hash === hash && failure.until > this.deps.clock.now()) throw failure.error;
    const pending = this.#pending.get(module) ?? this.#begin(target, hash, loads ? HEAD_START_MS : 0);
    return pending.promise;
  }

  #begin({ config, version, module }: Target, hash: string | null, delayMs: number): Pending {
    const enough = new AbortController();
    let resolve!: Pending['resolve'];
    let start!: Pending['read'];
    const promise = new Promise<ModelInfo>((done, reject) => {
      const read = async () => {
        if (enough.signal.aborted) return;
        try {
          const info = await readModuleInfo(config, version, this.deps, enough.signal);
          done(info);
          await this.#keep(module, info);
        } catch (error) {
          if (!enough.signal.aborted)
            this.#failures.set(module, { hash, error, until: this.deps.clock.now() + FAILURE_MS });
          reject(error);
        }
        this.#pending.delete(module);
      };
      let timer: Timer | null = null;
      let begun = false;
      start = () => {
        if (begun) return;
        begun = true;
        timer?.cancel();
        this.#lane = this.#lane.then(read);
      };
      if (delayMs > 0) timer = this.deps.clock.setTimeout(start, delayMs);
      else start();
      resolve = (info) => {
        done(info);
        enough.abort();
        timer?.cancel();
        this.#pending.delete(module);
      };
    });
    const pending = { promise, resolve, read: start };
    this.#pending.set(module, pending);
    return pending;
  }

  async #keep(module: string, info: ModelInfo): Promise<void> {
    const hash = await hashOf(module);
    if (hash !== null) await this.#files.write(module, hash, info);
  }

  #find(model: string, version: string | null): Target {
    const entry = this.deps.registry.get(model);
    if (!entry?.model) throw new SupError('SUP_MODEL_NOT_FOUND', `no model '${model}'`, { model });
    const config = entry.app.config as ModelAppConfig;
    const chosen = version ?? config.defaultVersion;
    const found = config.versions.find((each) => each.version === chosen);
    if (found) return { entry, config, version: chosen, module: found.module };
    const there = config.versions.map((each) => each.version).join(', ');
    throw new SupError('SUP_MODEL_NOT_FOUND', `${model} has no version '${chosen}'; there are: ${there}`, {
      model,
      version: chosen,
    });
  }

  #declared({ config, version }: Target, info: ModelInfo): Pick<ModelMetadata, 'inputs' | 'outputs'> {
    let tensors = this.#tensors.get(info);
    if (!tensors) {
      const name = `${config.name}@${version}`;
      tensors = {
        inputs: readTensors(info.inputs, `${name} declares inputs`),
        outputs: readTensors(info.outputs, `${name} declares outputs`),
      };
      this.#tensors.set(info, tensors);
    }
    return tensors;
  }
}

/** Only of workers that serve: what others said may be of a text that has changed since. */
function loadedInfo({ app, model }: Entry, version: string): ModelInfo | null {
  const pool = app.pools.get(version);
  return pool && pool.readyCount() > 0 ? (model?.info(version) ?? null) : null;
}

/** @throws SupError SUP_MODEL_ERROR that names the place */
function readTensors(declared: readonly unknown[], where: string): TensorMetadata[] {
  const wrong = (index: number, what: string) => new SupError('SUP_MODEL_ERROR', `${where}[${index}] ${what}`);
  return declared.map((value, index) => {
    const { name, datatype, shape } = (value ?? {}) as Partial<Record<keyof TensorMetadata, unknown>>;
    if (typeof name !== 'string' || name === '') throw wrong(index, 'without a name');
    if (typeof datatype !== 'string') throw wrong(index, `('${name}') without a datatype`);
    if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= -1))
      throw wrong(index, `('${name}') without a shape: an array of whole numbers, -1 for any length`);
    return { name, datatype, shape };
  });
}
