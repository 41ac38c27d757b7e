import { afterEach, describe, expect, it } from 'vitest';
import { type FromWorker, STREAM_WINDOW, type ToWorker } from '../../src/worker/protocol.js';
import { endHosts, loadMessage, TestHost } from '../support/model-host.js';

afterEach(endHosts);

type Isolation = 'process' | 'thread';

/** One model, in a process or as the only thread of a host, and what it says about one batch. */
class Streaming {
  private constructor(
    readonly host: TestHost,
    private readonly isolation: Isolation,
  ) {}

  static async open(isolation: Isolation, fixture: string): Promise<Streaming> {
    const host = new TestHost(isolation);
    const streaming = new Streaming(host, isolation);
    if (isolation === 'thread')
      host.send({ thread: 0, message: { type: 'startThread', thread: 1, concurrency: 1, resourceLimitsMb: null } });
    streaming.tell(loadMessage(fixture));
    await streaming.first('loaded');
    return streaming;
  }

  tell(message: ToWorker): void {
    this.host.send(this.isolation === 'thread' ? { thread: 1, message } : message);
  }

  predict(batch: number, inputs: unknown[], stream = true): void {
    this.tell({ type: 'predict', batch, inputs, timeoutMs: 5000, ...(stream ? { stream: true } : {}) });
  }

  said<T extends FromWorker['type']>(type: T): Extract<FromWorker, { type: T }>[] {
    return this.host.messages
      .map((message) => ('thread' in message ? message.message : message))
      .filter((message): message is Extract<FromWorker, { type: T }> => message.type === type);
  }

  async first<T extends FromWorker['type']>(type: T): Promise<Extract<FromWorker, { type: T }>> {
    await this.host.seen((_message): _message is never => this.said(type).length > 0);
    return this.said(type)[0] as Extract<FromWorker, { type: T }>;
  }

  async result(batch: number) {
    const found = () => this.said('result').find((result) => result.batch === batch);
    await this.host.seen((_message): _message is never => found() !== undefined);
    return found()?.outcomes;
  }

  async chunksSeen(count: number): Promise<unknown[]> {
    await this.host.seen((_message): _message is never => this.said('chunk').length >= count);
    return this.chunks;
  }

  get chunks(): unknown[] {
    return this.said('chunk').map((chunk) => chunk.value);
  }

  /** Long enough for a beat: whatever it was going to send before, it has sent. */
  async beat(): Promise<void> {
    this.host.messages.length = 0;
    await this.first('heartbeat');
  }
}

const done = { ok: true, output: null };

describe.each<Isolation>(['process', 'thread'])('a model that streams, in a %s', (isolation) => {
  it('sends its chunks in order, and then the end', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    expect((await model.first('loaded')).info.streams).toBe(true);
    model.predict(1, [{ count: 5 }]);
    expect(await model.result(1)).toEqual([done]);
    expect(model.chunks).toEqual([0, 1, 2, 3, 4]);
    expect(model.said('chunk').every((chunk) => chunk.batch === 1)).toBe(true);
  });

  it('answers those who want it as a whole with all chunks, each input by itself', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    model.predict(1, [{ count: 2 }, { count: 3, throw_at: 1 }, { count: 0 }], false);
    expect(await model.result(1)).toEqual([
      { ok: true, output: [0, 1] },
      { ok: false, name: 'RangeError', message: 'enough' },
      { ok: true, output: [] },
    ]);
    expect(model.chunks).toEqual([]);
  });

  it('stops when it is a window of chunks ahead, and goes on by as many as were read', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    model.predict(1, [{ count: 1000 }]);
    await model.chunksSeen(STREAM_WINDOW.chunks);
    await model.beat();
    expect(model.chunks).toEqual([]);
    model.tell({ type: 'more', batch: 1, chunks: 3 });
    expect(await model.chunksSeen(3)).toEqual([64, 65, 66]);
    await model.beat();
    expect(model.chunks).toEqual([]);
  });

  it('stops when it is a window of bytes ahead', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    const bytes = STREAM_WINDOW.bytes / 4;
    model.predict(1, [{ count: 100, bytes }]);
    await model.chunksSeen(4);
    await model.beat();
    expect(model.chunks).toEqual([]);
    model.tell({ type: 'more', batch: 1, chunks: 1 });
    await model.chunksSeen(1);
    await model.beat();
    expect(model.chunks).toEqual([]);
  });

  it('ends a stream that nobody reads any more, also one that waits for its reader', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    for (const [batch, input] of [{ count: 1000 }, { count: 10, hang_at: 2 }].entries()) {
      model.predict(batch, [input]);
      await model.chunksSeen(input.hang_at ?? STREAM_WINDOW.chunks);
      model.host.messages.length = 0;
      model.tell({ type: 'abort', batch });
      expect(await model.result(batch)).toMatchObject([{ ok: false, name: 'AbortError' }]);
      expect(model.chunks).toEqual([]);
    }
  });

  it('sends what came before an error, and then the error', async () => {
    const model = await Streaming.open(isolation, 'streams.mjs');
    model.predict(1, [{ count: 5, throw_at: 2 }]);
    expect(await model.result(1)).toEqual([{ ok: false, name: 'RangeError', message: 'enough' }]);
    expect(model.chunks).toEqual([0, 1]);
  });

  it('sends the answer of a model that does not stream as one chunk', async () => {
    const model = await Streaming.open(isolation, 'echo.mjs');
    expect((await model.first('loaded')).info.streams).toBe(false);
    model.predict(1, ['hello']);
    expect(await model.result(1)).toEqual([done]);
    expect(model.chunks).toEqual(['HELLO']);
    model.predict(2, ['throw']);
    expect(await model.result(2)).toEqual([{ ok: false, name: 'RangeError', message: 'bad input' }]);
  });

  it('takes any async iterable for a stream, and whole batches apart', async () => {
    const model = await Streaming.open(isolation, 'streams-by-value.mjs');
    model.predict(1, ['ab', 'c'], false);
    expect(await model.result(1)).toEqual([
      { ok: true, output: ['a', 'b'] },
      { ok: true, output: ['c'] },
    ]);
    model.predict(2, ['de']);
    expect(await model.result(2)).toEqual([done]);
    expect(model.chunks).toEqual(['d', 'e']);
  });

  it('makes an error of a chunk that no message can carry, and lives', async () => {
    const model = await Streaming.open(isolation, 'streams-by-value.mjs');
    model.predict(1, ['function']);
    expect(await model.result(1)).toMatchObject([
      { ok: false, name: 'TypeError', message: expect.stringContaining('cannot be sent') },
    ]);
    model.predict(2, ['a']);
    expect(await model.result(2)).toEqual([done]);
    expect(model.chunks).toEqual([1, 'a']);
  });

  it('ends what only its `return` can end', async () => {
    const model = await Streaming.open(isolation, 'streams-by-value.mjs');
    model.predict(1, ['stuck']);
    model.tell({ type: 'abort', batch: 1 });
    expect(await model.result(1)).toMatchObject([{ ok: false, name: 'AbortError' }]);
  });
});
