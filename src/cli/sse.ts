import type { Readable } from 'node:stream';

export interface ServerEvent {
  event: string;
  data: string;
}

/** Server-sent events of a stream, in order; comments and ids are passed over. Ends with the stream. */
export async function* serverEvents(stream: Readable): AsyncGenerator<ServerEvent> {
  stream.setEncoding('utf8');
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') };
        event = 'message';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
  }
}
