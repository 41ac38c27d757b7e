import { setTimeout as sleep } from 'node:timers/promises';

const TEXT = `The supervisor keeps the workers alive. The workers keep the models warm. A model that sleeps is woken by the
next request. A request that waits is answered by the next worker. The next worker reads the queue, and the queue keeps the order.`;

/** Writes nonsense, a word at a time: after each word one of those that follow it in the text. */
export default {
  platform: 'markov',

  load() {
    const words = TEXT.split(/\s+/);
    const followers = new Map();
    for (const [i, word] of words.entries()) {
      const next = words[(i + 1) % words.length];
      followers.set(word, [...(followers.get(word) ?? []), next]);
    }
    return followers;
  },

  async *predict(followers, [{ text_input: start = 'The', parameters: { max_words: max = 20 } = {} }], ctx) {
    let word = followers.has(start) ? start : 'The';
    for (let i = 0; i < max; i++) {
      yield `${word} `;
      const choices = followers.get(word);
      word = choices[Math.floor(Math.random() * choices.length)];
      // What a real model would spend on a word. Once nobody reads any more, the signal ends the wait, and with it the writing.
      await sleep(50, undefined, { signal: ctx.signal });
    }
  },
};
