// A model that is large and slow to load: it stands for weights that are read from a disk.
import { setTimeout as sleep } from 'node:timers/promises';

export default {
  async load({ options, signal }) {
    await sleep(options.loadMs, undefined, { signal });
    return Buffer.alloc(options.mib * 1024 * 1024, 1);
  },
  predict: (weights, places) => places.map((place) => `${place}: page ${(hash(place) % weights.length) % 400}`),
};

function hash(text) {
  let value = 0;
  for (const char of text) value = (value * 31 + char.codePointAt(0)) >>> 0;
  return value;
}
