import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serverEvents } from '../../src/cli/sse.js';

const STREAM =
  ': ping\n\nevent: line\ndata: {"line":"é"}\n\nid: 3\r\ndata: a\r\ndata:b\r\n\r\nevent: skipped\ndata: 1\n\ndata: unfinished';
const EVENTS = [
  { event: 'line', data: '{"line":"é"}' },
  { event: 'message', data: 'a\nb' },
  { event: 'skipped', data: '1' },
];

describe('serverEvents', () => {
  it('reads the same events however the bytes are cut', async () => {
    const bytes = Buffer.from(STREAM);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length - 1), { maxLength: 8 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = places
          .slice(1)
          .map((to, i) => bytes.subarray(places[i], to))
          .filter((chunk) => chunk.length > 0);
        const events = [];
        for await (const event of serverEvents(Readable.from(chunks, { objectMode: false }))) events.push(event);
        expect(events).toEqual(EVENTS);
      }),
    );
  });
});
