import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Classifier, createClassifier } from '../../examples/intents/classifier.mjs';
import { readDataset } from '../../examples/intents/dataset.js';
import { FEATURES, featurize, MAX_CHARS } from '../../examples/intents/features.mjs';
import { exportOnnx } from '../../examples/intents/onnx-export.js';
import { EXAMPLE_FOLDER, predict, type Trained, train } from '../../examples/intents/train.js';

const TRAINING_DEADLINE_MS = 50_000;
const MODEL_PATH = join(EXAMPLE_FOLDER, 'model.onnx');

/** Written for this test; none is in the data set. */
const UNSEEN = [
  ['my parcel never arrived', 'parcel_not_received'],
  ['The plate I unpacked this evening has a crack and two chips', 'damaged_item'],
  ['i cant remember my password', 'password_reset'],
  ['Kindly close my account and erase my data.', 'delete_account'],
  ['We have moved, so our delivery address is different now.', 'change_address'],
  ['why did checkout say that my visa card was declined', 'payment_failed'],
  ['I would like an invoice with our VAT number for order 555', 'invoice_request'],
  ['Enough! Put me through to a human being.', 'human_agent'],
] as const;

const dataset = readDataset(join(EXAMPLE_FOLDER, 'data'));
const normalForm = (text: string) => wordsOf(text).join(' ');
const wordsOf = (text: string) =>
  text
    .toLowerCase()
    .replaceAll("'", '')
    .match(/[a-z0-9]+/g) ?? [];

describe('data set', () => {
  it('has 16 intents with at least 30 messages each', () => {
    expect(dataset.labels).toHaveLength(16);
    for (const [label, name] of dataset.labels.entries()) {
      const count = dataset.messages.filter((message) => message.label === label).length;
      expect(count, name).toBeGreaterThanOrEqual(30);
    }
  });

  it('has no message twice, neither within an intent nor in two', () => {
    const seen = new Set<string>();
    const repeated = dataset.messages.filter(({ text }) => seen.size === seen.add(normalForm(text)).size);
    expect(repeated).toEqual([]);
  });

  it('is not padded: no two messages of an intent share three quarters of their words', () => {
    const messages = dataset.messages.map(({ text, label }) => ({ text, label, words: new Set(wordsOf(text)) }));
    const padded = messages.flatMap((a, i) =>
      messages
        .slice(i + 1)
        .filter((b) => a.label === b.label && overlap(a.words, b.words) >= 0.75)
        .map((b) => [a.text, b.text]),
    );
    expect(padded).toEqual([]);
  });

  it('does not contain the unseen sentences', () => {
    const known = new Set(dataset.messages.map(({ text }) => normalForm(text)));
    expect(UNSEEN.filter(([text]) => known.has(normalForm(text)))).toEqual([]);
  });
});

describe('features', () => {
  const rowOf = (text: string) => {
    const row = new Float32Array(FEATURES);
    featurize(text, row, 0);
    return row;
  };

  it('ignore case, apostrophes, punctuation and the digits of a number', () => {
    expect(rowOf("I DIDN'T get order 4711!")).toEqual(rowOf('i didnt... get (order) 12'));
    expect(rowOf('Über')).toEqual(rowOf('über'));
  });

  it('tell a word order apart', () => {
    expect(rowOf('order then cancel')).not.toEqual(rowOf('cancel then order'));
  });

  it('have length 1, or are all 0 where there is no word', () => {
    const lengthOf = (row: Float32Array) => Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    expect(lengthOf(rowOf('Where is my order?'))).toBeCloseTo(1, 5);
    expect(lengthOf(rowOf('a'))).toBeCloseTo(1, 5);
    expect(lengthOf(rowOf(' ?! '))).toBe(0);
  });

  it('come from the first MAX_CHARS characters only', () => {
    const long = 'refund '.repeat(MAX_CHARS).slice(0, MAX_CHARS);
    expect(rowOf(`${long}, and cancel my order`)).toEqual(rowOf(long));
  });

  it('overwrite their own row and no other', () => {
    const rows = new Float32Array(3 * FEATURES).fill(9);
    featurize('my order', rows, FEATURES);
    expect(rows.subarray(FEATURES, 2 * FEATURES)).toEqual(rowOf('my order'));
    expect(rows.subarray(0, FEATURES).every((value) => value === 9)).toBe(true);
    expect(rows.subarray(2 * FEATURES).every((value) => value === 9)).toBe(true);
  });
});

describe('trained model', () => {
  let trained: Trained;
  let classifier: Classifier;

  beforeAll(async () => {
    trained = train(dataset);
    classifier = await createClassifier(MODEL_PATH);
  }, TRAINING_DEADLINE_MS);
  afterAll(() => classifier.release());

  it('is right about at least 85 % of the messages that it never saw', () => {
    expect(trained.heldOut.messages.length).toBeGreaterThanOrEqual(0.19 * dataset.messages.length);
    expect(trained.accuracy.overall).toBeGreaterThanOrEqual(0.85);
    expect(Math.min(...trained.accuracy.perIntent)).toBeGreaterThan(0.6);
  });

  it('is, byte for byte, the model.onnx beside the trainer', () => {
    const committed = readFileSync(MODEL_PATH);
    expect(committed.length).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(Buffer.compare(exportOnnx(trained.weights), committed)).toBe(0);
    expect(JSON.parse(readFileSync(join(EXAMPLE_FOLDER, 'labels.json'), 'utf8'))).toEqual(dataset.labels);
  });

  it.each(UNSEEN)('%s → %s', async (text, label) => {
    const [answer] = await classifier.classify([text]);
    expect(answer?.label).toBe(label);
  });

  it('gets the same scores from onnxruntime as from the trainer', async () => {
    const texts = trained.heldOut.messages.map(({ text }) => text);
    const answers = await classifier.classify(texts);
    for (const [i, text] of texts.entries()) {
      const probabilities = predict(trained.weights, text);
      const { label, score } = answers[i]!;
      expect(Math.abs(score - Math.max(...probabilities)), text).toBeLessThan(1e-4);
      expect(label, text).toBe(dataset.labels[probabilities.indexOf(Math.max(...probabilities))]);
    }
  });

  it('gives each of many overlapping calls its own answers', async () => {
    const overlapping = await Promise.all(UNSEEN.map(([text]) => classifier.classify([text, 'hello'])));
    expect(overlapping.map(([first]) => first?.label)).toEqual(UNSEEN.map(([, label]) => label));
  });

  it('answers no texts with no answers', async () => {
    expect(await classifier.classify([])).toEqual([]);
  });

  it.each([
    [['fine', 7], 'input 1 is a value of type number, not a string'],
    [[null], 'input 0 is null, not a string'],
    [[['nested']], 'input 0 is an array, not a string'],
    ['not a list', 'classify() takes an array of strings, not a value of type string'],
  ])('refuses %j', async (inputs, message) => {
    await expect(classifier.classify(inputs as string[])).rejects.toThrow(new TypeError(message));
  });
});

/** Jaccard's: the share of all words of two messages that both have. */
function overlap(a: Set<string>, b: Set<string>): number {
  let shared = 0;
  for (const word of a) if (b.has(word)) shared++;
  return shared / (a.size + b.size - shared);
}
