/**
 * Text → feature vector: hashed counts of words, word pairs and pieces of words. The trainer and the classifier share this
 * file, because a model only understands the features it was trained on: change anything here and train again.
 *
 * 1. Normalise. ASCII and Latin-1 letters become lower case, apostrophes vanish (`didn't` = `didnt`), a run of digits becomes
 *    one `0` (an order number carries no intent), everything else that is not a letter separates words.
 * 2. Hash each feature to 32 bits with FNV-1a, one step per character: `h = (h ^ charCode) * 16777619`. Each kind of feature
 *    starts from an offset basis of its own, so that the word `refund` and the piece `refund` are different features:
 *      - word: its characters
 *      - word pair: the finished hashes of the previous word and of this one, one step each
 *      - piece: 3 to 5 characters in a row of ` word ` (the spaces tell a beginning and an end from a middle; they forgive typos)
 * 3. Mix the high bits into the low ones, and keep the low bits as the number of the bucket.
 * 4. A bucket's value is the square root of its count; the row is then scaled to length 1 (L2). Square root and not a
 *    logarithm: both damp repetition, but IEEE 754 fixes every bit of a square root, so rows are equal on every machine.
 *
 * No string is made on the way: this is the hot path, and it runs on the thread that answers.
 */

/** Width of a row. A power of two, so that the bucket is a bit mask. */
export const FEATURES = 4096;

/** What follows is ignored: the intent stands at the start, and a message of 8 MiB may not hold the thread. */
export const MAX_CHARS = 2000;

const FNV_PRIME = 16777619;
const WORD_BASIS = 2166136261;
const PAIR_BASIS = 0x5bd1e995;
const PIECE_BASIS = 0x2545f491;

const PIECE_MIN = 3;
const PIECE_MAX = 5;

const SPACE = 32;
const ZERO = 48;
const SEPARATES = 0;
const VANISHES = 1;

/** Normal form of each Latin-1 character: its code, or SEPARATES or VANISHES. */
const NORMAL = new Uint8Array(256);
for (let code = 0; code < NORMAL.length; code++) {
  const char = String.fromCharCode(code).toLowerCase();
  if (/\p{L}/u.test(char)) NORMAL[code] = char.charCodeAt(0);
  else if (/\d/.test(char)) NORMAL[code] = ZERO;
  else if (char === "'") NORMAL[code] = VANISHES;
}

// Scratch, shared by all calls: featurize() never awaits, so no two calls use it at the same time.
const chars = new Uint16Array(MAX_CHARS + 2);
const touched = new Uint16Array(FEATURES);

/**
 * Writes the features of `text` to `rows[offset … offset + FEATURES)`, whatever was there before.
 *
 * @param {string} text
 * @param {Float32Array} rows
 * @param {number} offset
 */
export function featurize(text, rows, offset) {
  rows.fill(0, offset, offset + FEATURES);
  const end = normalise(text);
  let touchedCount = 0;

  /** @param {number} hash */
  const count = (hash) => {
    const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    const bucket = (mixed ^ (mixed >>> 13)) & (FEATURES - 1);
    if (rows[offset + bucket]++ === 0) touched[touchedCount++] = bucket;
  };

  let previousWord = 0;
  for (let start = 0; start < end; ) {
    // chars[start] is the space before a word: walk to the space after it.
    let word = WORD_BASIS;
    let next = start + 1;
    for (; chars[next] !== SPACE; next++) word = step(word, chars[next]);
    count(word);
    count(step(step(PAIR_BASIS, previousWord), word));
    previousWord = word;

    for (let first = start; first <= next - PIECE_MIN + 1; first++) {
      let piece = PIECE_BASIS;
      const stop = Math.min(first + PIECE_MAX, next + 1);
      for (let at = first; at < stop; at++) {
        piece = step(piece, chars[at]);
        if (at - first >= PIECE_MIN - 1) count(piece);
      }
    }
    start = next;
  }

  let total = 0; // of the counts: the sum of the squares of their square roots
  for (let i = 0; i < touchedCount; i++) total += rows[offset + touched[i]];
  for (let i = 0; i < touchedCount; i++) {
    const at = offset + touched[i];
    rows[at] = Math.sqrt(rows[at] / total);
  }
}

/**
 * One step of FNV-1a.
 *
 * @param {number} hash
 * @param {number} value
 */
function step(hash, value) {
  return Math.imul(hash ^ value, FNV_PRIME);
}

/**
 * Fills `chars` with ` word word … word ` in normal form.
 *
 * @param {string} text
 * @returns {number} index of the last space; 0 where the text has no word
 */
function normalise(text) {
  const length = Math.min(text.length, MAX_CHARS);
  chars[0] = SPACE;
  let last = 0;
  for (let i = 0; i < length; i++) {
    const normal = normalCode(text.charCodeAt(i));
    if (normal === VANISHES) continue;
    if (normal === SEPARATES) {
      if (chars[last] !== SPACE) chars[++last] = SPACE;
    } else if (normal !== ZERO || chars[last] !== ZERO) {
      chars[++last] = normal;
    }
  }
  if (chars[last] !== SPACE) chars[++last] = SPACE;
  return last;
}

/** @param {number} code */
function normalCode(code) {
  if (code < NORMAL.length) return NORMAL[code];
  if (code === 0x2018 || code === 0x2019) return VANISHES; // typographic apostrophes
  return code >= 0x2000 && code <= 0x206f ? SEPARATES : code; // dashes, quotes, ellipsis; other scripts stay as they are
}
