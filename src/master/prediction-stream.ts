import { ChunkStream } from '../pool/chunk-stream.js';
import type { JobRequest, JobResult } from '../pool/job.js';
import type { PredictStream, StreamEnd, StreamRequest } from './supervisor.js';

/** What a stream needs of the model that answers it. */
export interface StreamSource {
  model: string;
  version: string;
  submit(request: Omit<JobRequest, 'key'>): Promise<JobResult[]>;
  /** Called once, when it was answered. */
  answered(result: JobResult & { ok: true }): StreamEnd;
}

/** One streamed prediction: begun with the call, whether anyone reads it or not. */
export function streamPrediction(request: StreamRequest, source: StreamSource): PredictStream {
  // The caller's signal may outlive the prediction by far, and the reader may leave by itself.
  const controller = new AbortController();
  const cancel = () => controller.abort();
  const cancelled = { handleEvent: cancel };
  const chunks = new ChunkStream(cancel);
  const { input, priority, timeoutMs, signal } = request;
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancelled);
  let end: StreamEnd | undefined;
  void source
    .submit({ inputs: [input], priority, timeoutMs, signal: controller.signal, stream: chunks })
    .then((results) => {
      signal?.removeEventListener('abort', cancelled);
      const result = results[0] as JobResult;
      if (result.ok) end = source.answered(result);
      chunks.end(result);
    });
  return {
    model: source.model,
    version: source.version,
    async next() {
      const step = await chunks.next();
      return step.done ? { done: true, value: end } : step;
    },
    async return() {
      await chunks.return();
      return { done: true, value: end };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
