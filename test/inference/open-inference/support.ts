import { onTestFinished } from 'vitest';
import type { ListeningServer } from '../../../src/http/listen.js';
import { type InferenceOptions, listenInference } from '../../../src/inference/server.js';
import type { ModelMetadata, PredictRequest, Supervisor } from '../../../src/master/supervisor.js';
import { type FakeSupervisor, fakeSupervisor, modelMetadata } from '../../http/fake-supervisor.js';
import { Client, type InputTensor } from './client.js';

export interface Served {
  client: Client;
  supervisor: FakeSupervisor;
  server: ListeningServer;
}

/** An inference server in front of a supervisor that only pretends; ends with its test. */
export async function serve(
  parts: Partial<Supervisor> = {},
  options: Partial<InferenceOptions> = {},
  headers: Record<string, string> = {},
): Promise<Served> {
  const supervisor = fakeSupervisor(parts);
  const server = await listenInference({
    supervisor,
    host: '127.0.0.1',
    port: 0,
    auth: 'none',
    token: () => 'the-right-token',
    maxBodyBytes: 8 * 1024 * 1024,
    allowedHosts: [],
    ...options,
  });
  onTestFinished(() => server.close());
  return { client: new Client(server.address, headers), supervisor, server };
}

/** A model that declares this, and answers with what `predict` makes of the inputs. */
export function model(
  metadata: Partial<ModelMetadata>,
  predict: (inputs: readonly unknown[], request: PredictRequest) => unknown[] = (inputs) => [...inputs],
): Partial<Supervisor> {
  return {
    modelMetadata: async (name, version) => modelMetadata({ name, version: version ?? 'v1', ...metadata }),
    predict: async (request) => ({
      model: request.model ?? 'm',
      version: request.version ?? 'v1',
      results: predict(request.inputs, request).map((output) => ({ ok: true, output, worker: 'm@v1/1' })),
      timing: { queue_ms: 0, compute_ms: 0, total_ms: 0 },
    }),
  };
}

/** For models that take any tensors, and answer with them. */
export const undeclared: Partial<ModelMetadata> = { inputs: [], outputs: [], rows: false };

export function tensor(name: string, datatype: string, data: readonly unknown[], shape = [data.length]): InputTensor {
  return { name, datatype, shape, data };
}

export function text(data: readonly unknown[], shape?: number[]): InputTensor {
  return tensor('text', 'BYTES', data, shape);
}
