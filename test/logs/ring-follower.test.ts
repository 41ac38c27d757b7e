import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import { BURST_LINES, Follower } from '../../src/logs/follower.js';
import type { Block } from '../../src/logs/format.js';
import { RING_CHARS, RING_LINES, Ring } from '../../src/logs/ring.js';
import type { LogLine } from '../../src/master/supervisor.js';

function block(text: string, more: Partial<Block> = {}): Block {
  return { time: '2026-01-01T00:00:00.000Z', worker: 'web/1', stream: 'stdout', text, ...more };
}
const numbered = (from: number, count: number) => Array.from({ length: count }, (_, i) => `line ${from + i}`);
const texts = (lines: LogLine[]) => lines.map((l) => l.line);

describe('Ring', () => {
  it('holds the last 500 lines, whether they came alone or in blocks', () => {
    for (const size of [1, 7, 2000]) {
      const ring = new Ring();
      for (let n = 0; n < 4000; n += size) ring.push(block(numbered(n, size).join('\n')));
      const got = texts(ring.tail('web', { lines: 10_000, since: null }));
      expect(got).toHaveLength(RING_LINES);
      expect(got.at(-1)).toBe(`line ${Math.ceil(4000 / size) * size - 1}`);
    }
  });

  it('holds at most 256 KiB', () => {
    const ring = new Ring();
    for (let n = 0; n < 100; n++) ring.push(block(`${n}${'x'.repeat(10_000)}`));
    const got = ring.tail('web', { lines: 500, since: null });
    expect(got.reduce((sum, l) => sum + l.line.length, 0)).toBeLessThanOrEqual(RING_CHARS);
    expect(got.length).toBeGreaterThan(20);
    expect(got.at(-1)?.line.startsWith('99x')).toBe(true);
  });

  it('filters by worker and by time', () => {
    const ring = new Ring();
    ring.push(block('old', { time: '2025-01-01T00:00:00.000Z' }));
    ring.push(block('one'));
    ring.push(block('two', { worker: 'web/2' }));
    expect(texts(ring.tail('web', { lines: 9, since: new Date('2025-06-01') }))).toEqual(['one', 'two']);
    expect(texts(ring.tail('web', { lines: 9, since: null, worker: 'web/1' }))).toEqual(['old', 'one']);
    expect(texts(ring.tail('web', { lines: 1, since: null }))).toEqual(['two']);
  });

  it('takes a version for all of its workers', () => {
    const ring = new Ring();
    // `m@v1` is no part of `m@v10`, and `web/1` none of `web/12`.
    for (const [text, worker] of [
      ['a', 'm@v1/1'],
      ['b', 'm@v1/2'],
      ['c', 'm@v10/1'],
      ['d', 'm@v2/1'],
      ['e', 'web/12'],
    ] as const)
      ring.push(block(text, { worker }));
    expect(texts(ring.tail('m', { lines: 9, since: null, worker: 'm@v1' }))).toEqual(['a', 'b']);
    expect(texts(ring.tail('web', { lines: 9, since: null, worker: 'web/1' }))).toEqual([]);
  });
});

describe('Follower', () => {
  it('hands the first lines out at once and what comes right after together', () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const follower = new Follower('web', clock, (l) => seen.push(l.line));
    follower.push(block('a'));
    expect(seen).toEqual(['a']);
    follower.push(block('b'));
    follower.push(block('c'));
    expect(seen).toEqual(['a']);
    clock.advance(50);
    expect(seen).toEqual(['a', 'b', 'c']);
    clock.advance(500);
    follower.push(block('d'));
    expect(seen.at(-1)).toBe('d');
  });

  it('skips the oldest of a flood and says how many', () => {
    const clock = new ManualClock();
    const seen: LogLine[] = [];
    const follower = new Follower('web', clock, (l) => seen.push(l));
    follower.push(block('first'));
    const total = 300_000;
    for (let n = 0; n < total; n += 10_000) follower.push(block(numbered(n, 10_000).join('\n')));
    clock.advance(50);
    const skipped = seen.filter((l) => l.stream === 'supervisor');
    expect(skipped).toHaveLength(1);
    const count = Number(/(\d+) lines skipped/.exec(skipped[0]!.line)?.[1]);
    expect(count).toBe(total - BURST_LINES);
    expect(seen).toHaveLength(1 + 1 + BURST_LINES);
    expect(seen.at(-1)?.line).toBe(`line ${total - 1}`);
  });

  it('hands out nothing after its end, also when it ends in the middle of a burst', () => {
    const clock = new ManualClock();
    const seen: string[] = [];
    const follower: Follower = new Follower('web', clock, (l) => {
      seen.push(l.line);
      if (l.line === 'b') follower.end();
    });
    follower.push(block('a\nb\nc'));
    follower.push(block('d'));
    clock.advance(1000);
    expect(seen).toEqual(['a', 'b']);
  });
});
