import { type LastingGrowth, lastingGrowth } from './lasting-growth.js';
import type { Growth, HeapPoint, LeakLimits, MemoryPoint, Trend } from './leak.js';
import type { Point } from './statistics.js';

const BUCKETS = 60;
const MINUTE_MS = 60_000;
/** Of the window: so much must be seen before anything is said. In less time a warm-up looks like a leak. */
export const LEAST_SEEN = 0.8;

/** A sixtieth of the window: the least of what was seen in it. */
interface Bucket {
  number: number;
  processBytes: number;
  /** What the process has beside its heap. */
  otherBytes: number;
  /** What its heap has in use, garbage included. */
  heapBytes: number;
  /** The full collection in this time: what was in use before it and what lived after it. */
  collection: Collection | null;
}

interface Collection {
  beforeBytes: number;
  liveBytes: number;
}

/**
 * Memory of one worker over a sliding window, thinned out to 60 floors so that a day costs no more than a minute.
 *
 * Where the worker tells about its heap, growth is that of the settled memory: what the process has beside its heap, plus what of the heap
 * is known to live. Garbage that waits for a full collection, and room that the heap keeps for later, are no growth: a heap may fill up
 * for longer than any window. How much of it was alive is known at the next full collection; then it is spread over the time since
 * the one before, in proportion to how the heap grew. What was added since the last one counts nothing yet.
 */
export class MemoryHistory {
  #buckets: Bucket[] = [];
  /** Whether the worker tells about its heap. */
  #hasHeap = false;
  /** What lived in the heap before the first bucket, as far as is known. */
  #bornBytes = 0;
  #latest: { at: number; bytes: number; heap: HeapPoint | null } | null = null;
  #collectedAt: number | null = null;

  constructor(private limits: LeakLimits) {}

  configure(limits: LeakLimits): void {
    if (limits.windowMs !== this.limits.windowMs) this.#buckets = [];
    this.limits = limits;
  }

  /** @param heap null where the worker does not tell */
  add({ at, bytes }: MemoryPoint, heap: HeapPoint | null): void {
    if (this.#hasHeap && heap === null) return;
    if (heap !== null && !this.#hasHeap) this.#startWithHeap(heap);
    const bucket = this.#bucketOf(at);
    bucket.processBytes = Math.min(bucket.processBytes, bytes);
    if (heap !== null) this.#addHeap(bucket, bytes, heap, at);
    this.#latest = { at, bytes, heap };
  }

  /**
   * Null while there is too little to say anything.
   * @param limitBytes what the worker may use; null: not limited
   */
  growth(limitBytes: number | null): Growth | null {
    const latest = this.#latest;
    // The latest bucket is not over: its floor may be yet to come.
    const buckets = this.#buckets.slice(0, -1);
    const [first, last] = [buckets[0], buckets.at(-1)];
    if (!latest || !first || !last) return null;
    const ofProcess = this.#growthOf(buckets, (bucket) => bucket.processBytes);
    const heapBytes = this.#hasHeap ? this.#aliveBytes(buckets) : null;
    const settled = heapBytes
      ? this.#growthOf(buckets, (bucket, i) => bucket.otherBytes + (heapBytes[i] as number))
      : ofProcess;
    if (!settled) return null;
    const trend = trendOf(settled);
    const room = limitBytes === null ? null : Math.max(0, limitBytes - latest.bytes);
    return {
      ...trend,
      secondsToLimit: room === null || trend.bytesPerMinute <= 0 ? null : (room / trend.bytesPerMinute) * 60,
      seen: Math.min(1, (last.number - first.number + 1) / BUCKETS),
      withGarbage: this.#hasHeap && ofProcess ? trendOf(ofProcess) : null,
      collectedAgoMs: this.#collectedAt === null ? null : latest.at - this.#collectedAt,
    };
  }

  /** Memory without what is known of the heap can't be compared with memory with it. */
  #startWithHeap({ usedBytes, liveBytes }: HeapPoint): void {
    this.#hasHeap = true;
    this.#buckets = [];
    this.#latest = null;
    this.#bornBytes = liveBytes ?? usedBytes;
  }

  #addHeap(bucket: Bucket, bytes: number, heap: HeapPoint, at: number): void {
    bucket.otherBytes = Math.min(bucket.otherBytes, bytes - heap.heldBytes);
    bucket.heapBytes = Math.min(bucket.heapBytes, heap.usedBytes);
    const before = this.#latest?.heap;
    if (!before || heap.liveBytes === null || heap.liveBytes === before.liveBytes) return;
    const beforeBytes = bucket.collection?.beforeBytes ?? before.usedBytes;
    bucket.collection = { beforeBytes, liveBytes: heap.liveBytes };
    this.#collectedAt = at;
  }

  /** Of all that was seen; in a worker's first window else of its end, where what the worker loaded at its start doesn't hide a leak. */
  #growthOf(buckets: readonly Bucket[], bytesOf: (bucket: Bucket, i: number) => number): LastingGrowth | null {
    const bucketMs = this.limits.windowMs / BUCKETS;
    const floors = buckets.map((bucket, i) => ({ at: bucket.number * bucketMs, value: bytesOf(bucket, i) }));
    const whole = lastingGrowth(floors);
    const [first, last] = [floors[0] as Point, floors.at(-1) as Point];
    const isFirstWindow = last.at - first.at + bucketMs < this.limits.windowMs;
    if (!whole?.significant || whole.sustained || !isFirstWindow) return whole;
    const from = last.at - this.limits.windowMs * LEAST_SEEN;
    const end = lastingGrowth(floors.filter(({ at }) => at > from));
    return end?.significant && end.sustained ? end : whole;
  }

  /** What of the heap is known to live, bucket by bucket. */
  #aliveBytes(buckets: readonly Bucket[]): number[] {
    const alive: number[] = [];
    const firstLiveBytes = buckets.find(({ collection }) => collection)?.collection?.liveBytes;
    // Some of what was there from the start may have been garbage all the time.
    let knownBytes = Math.min(this.#bornBytes, firstLiveBytes ?? this.#bornBytes);
    let waiting: Bucket[] = [];
    const settle = (share: number) => {
      for (const bucket of waiting) alive.push(knownBytes + share * Math.max(0, bucket.heapBytes - knownBytes));
      waiting = [];
    };
    for (const bucket of buckets) {
      if (bucket.collection) {
        settle(shareAlive(knownBytes, bucket.collection));
        knownBytes = bucket.collection.liveBytes;
        alive.push(knownBytes);
      } else waiting.push(bucket);
    }
    settle(0);
    return alive;
  }

  #bucketOf(at: number): Bucket {
    const number = Math.floor((at * BUCKETS) / this.limits.windowMs);
    const latest = this.#buckets.at(-1);
    if (latest && latest.number >= number) return latest;
    const none = Number.POSITIVE_INFINITY;
    const bucket = { number, processBytes: none, otherBytes: none, heapBytes: none, collection: null };
    this.#buckets.push(bucket);
    while ((this.#buckets[0] as Bucket).number < number - BUCKETS) {
      const { collection } = this.#buckets.shift() as Bucket;
      if (collection) this.#bornBytes = collection.liveBytes;
    }
    return bucket;
  }
}

/** Which share of what was added between two collections the second one found alive. */
function shareAlive(aliveBytes: number, { beforeBytes, liveBytes }: Collection): number {
  const addedBytes = beforeBytes - aliveBytes;
  return addedBytes <= 0 ? 0 : Math.min(1, Math.max(0, (liveBytes - aliveBytes) / addedBytes));
}

function trendOf({ slope, atLeast, atMost, significant, sustained }: LastingGrowth): Trend {
  return {
    bytesPerMinute: slope * MINUTE_MS,
    atLeastBytesPerMinute: atLeast * MINUTE_MS,
    atMostBytesPerMinute: atMost * MINUTE_MS,
    significant,
    sustained,
  };
}
