import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readHttpRequests, readModelInputs } from '../../src/sizing/inputs.js';

const dir = mkdtempSync(join(tmpdir(), 'inputs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

describe('readModelInputs', () => {
  it.each([
    ['one value', 'one.json', '{"a": 1}', [{ a: 1 }]],
    ['one text', 'text.json', '"hello"', ['hello']],
    ['an array of inputs', 'many.json', '[1, [2, 3], null]', [1, [2, 3], null]],
    ['one a line', 'lines.jsonl', '{"a": 1}\n\n[1, 2]\r\n', [{ a: 1 }, [1, 2]]],
    ['one a line, whatever its name', 'lines.json', '{"a": 1}\n"b"\n', [{ a: 1 }, 'b']],
    ['a single line of JSONL is one input, an array too', 'single.ndjson', '[1, 2]', [[1, 2]]],
  ])('%s', (_what, name, text, inputs) => expect(readModelInputs(file(name, text))).toEqual(inputs));

  it.each([
    ['empty.json', '', /is not JSON/],
    ['none.json', '[]', /holds no inputs/],
    ['blank.jsonl', '\n\n', /holds no inputs/],
    ['broken.json', '{"a": 1,\n"b"}', /broken\.json is not JSON/],
    ['broken.jsonl', '1\n{', /line 2 of .*broken\.jsonl is not JSON/],
  ])('refuses %s', (name, text, reason) =>
    expect(() => readModelInputs(file(name, text))).toThrow(
      expect.objectContaining({ code: 'SUP_USAGE', message: expect.stringMatching(reason) }),
    ),
  );

  it('refuses a file that is not there', () =>
    expect(() => readModelInputs(join(dir, 'nowhere.json'))).toThrow(/cannot be read: ENOENT/));
});

describe('readHttpRequests', () => {
  it('reads one a line', () => {
    const text = '# the front page\nGET /\n/search?q=a%20b\r\n\nPOST /items {"a": [1, 2]}\nDELETE   /items/1\n';
    expect(readHttpRequests(file('requests.txt', text))).toEqual([
      { method: 'GET', path: '/', body: null },
      { method: 'GET', path: '/search?q=a%20b', body: null },
      { method: 'POST', path: '/items', body: '{"a": [1, 2]}' },
      { method: 'DELETE', path: '/items/1', body: null },
    ]);
  });

  it.each([
    ['GET /\nnonsense', /:2 is no request/],
    ['http://example.com/', /:1 is no request/],
    ['get /', /:1 is no request/],
    ['POST /items {a}', /body in .*:1 is not JSON/],
    ['# nothing\n', /holds no requests/],
  ])('refuses %j', (text, reason) => expect(() => readHttpRequests(file('bad.txt', text))).toThrow(reason));
});
