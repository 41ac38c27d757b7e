import { pathToFileURL } from 'node:url';
import type { ModelDefinition } from '../src/define-model.js';
import type { ModelInfo } from '../src/worker/protocol.js';

const OPTIONAL_FUNCTIONS = ['load', 'unload', 'cleanup', 'health'] as const;
const OPTIONAL_ARRAYS = ['warmup', 'inputs', 'outputs'] as const;

/** Imports a model's module. @throws Error that names the file and what is wrong with it. */
export async function importModel(file: string): Promise<ModelDefinition> {
  const namespace = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const model = candidates(namespace).find((candidate) => 'predict' in candidate);
  if (!model)
    throw new Error(
      `${file} exports no predict function: export default { predict(model, inputs, ctx) { … } }; it exports ${Object.keys(namespace).join(', ') || 'nothing'}`,
    );
  check(file, model);
  return model as unknown as ModelDefinition;
}

export function infoOf(model: ModelDefinition): ModelInfo {
  return {
    platform: model.platform ?? '',
    inputs: [...(model.inputs ?? [])],
    outputs: [...(model.outputs ?? [])],
    rows: model.rows === true,
    streams: model.predict instanceof AsyncGeneratorFunction,
  };
}

const AsyncGeneratorFunction = async function* () {}.constructor as FunctionConstructor;

/** The default export, the default of a CommonJS module that was compiled from an ES module, the module itself. */
function candidates(namespace: Record<string, unknown>): Record<string, unknown>[] {
  const first = namespace.default as Record<string, unknown> | undefined;
  return [first, first?.default, namespace].filter(
    (value): value is Record<string, unknown> => typeof value === 'object' && value !== null,
  );
}

function check(file: string, model: Record<string, unknown>): void {
  if (typeof model.predict !== 'function')
    throw new Error(`${file}: predict is ${kind(model.predict)}, not a function`);
  for (const name of OPTIONAL_FUNCTIONS)
    if (model[name] !== undefined && typeof model[name] !== 'function')
      throw new Error(`${file}: ${name} is ${kind(model[name])}, not a function`);
  for (const name of OPTIONAL_ARRAYS)
    if (model[name] !== undefined && !Array.isArray(model[name]))
      throw new Error(`${file}: ${name} is ${kind(model[name])}, not an array`);
}

export function kind(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
