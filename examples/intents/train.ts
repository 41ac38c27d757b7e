/**
 * Trains the intents classifier and writes model.onnx and labels.json next to this file's source:
 * `npm run build && node dist/examples/intents/train.js`.
 */
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Dataset, readDataset, splitDataset } from './dataset.js';
import type * as Features from './features.mjs';
import { type Example, forward, type LearnOptions, learn, sparseExample, type Weights } from './mlp.js';
import { exportOnnx } from './onnx-export.js';
import { seededRandom } from './random.js';

/** The example's folder in the package. This file may run from dist/, where data and .mjs files are not copied to. */
export const EXAMPLE_FOLDER = join(packageRoot(dirname(fileURLToPath(import.meta.url))), 'examples', 'intents');

const { FEATURES, featurize }: typeof Features = await import(pathToFileURL(join(EXAMPLE_FOLDER, 'features.mjs')).href);

export interface TrainOptions extends LearnOptions {
  /** Share of each intent's messages that training never sees. */
  heldOutShare: number;
}

/** Chosen by cross-validation within the training part, so the held-out part still measures unseen messages. */
export const DEFAULT_OPTIONS: TrainOptions = {
  heldOutShare: 0.2,
  hidden: 64,
  epochs: 30,
  batchSize: 32,
  learningRate: 0.003,
  dropout: 0.3,
  labelSmoothing: 0.05,
  seed: 7,
};

export interface Accuracy {
  overall: number;
  /** In the order of `Dataset.labels`. */
  perIntent: number[];
  /** What the model got wrong, with what it said instead. */
  mistakes: { text: string; expected: string; answered: string }[];
}

export interface Trained {
  weights: Weights;
  heldOut: Dataset;
  accuracy: Accuracy;
}

/** Splits off the held-out part, learns from the rest, and measures on the held-out part. Takes some seconds. */
export function train(dataset: Dataset, options: TrainOptions = DEFAULT_OPTIONS): Trained {
  const { training, heldOut } = splitDataset(dataset, options.heldOutShare, seededRandom(options.seed));
  const weights = learn(examplesOf(training), FEATURES, dataset.labels.length, options);
  return { weights, heldOut, accuracy: measure(weights, heldOut) };
}

/** The probability of each label for one text, by the trainer's own arithmetic. */
export function predict(weights: Weights, text: string): Float64Array {
  return forward(weights, exampleOf(text, 0));
}

function measure(weights: Weights, dataset: Dataset): Accuracy {
  const { labels, messages } = dataset;
  const seen = new Array<number>(labels.length).fill(0);
  const right = new Array<number>(labels.length).fill(0);
  const mistakes: Accuracy['mistakes'] = [];
  for (const { text, label } of messages) {
    const probabilities = predict(weights, text);
    const answer = probabilities.indexOf(Math.max(...probabilities));
    seen[label]!++;
    if (answer === label) right[label]!++;
    else mistakes.push({ text, expected: labels[label]!, answered: labels[answer]! });
  }
  const perIntent = seen.map((count, label) => right[label]! / count);
  return { overall: 1 - mistakes.length / messages.length, perIntent, mistakes };
}

function examplesOf(dataset: Dataset): Example[] {
  return dataset.messages.map(({ text, label }) => exampleOf(text, label));
}

function exampleOf(text: string, label: number): Example {
  const row = new Float32Array(FEATURES);
  featurize(text, row, 0);
  return sparseExample(row, label);
}

function packageRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('No package.json above the trainer: run it from a checkout of model-supervisor');
  return packageRoot(parent);
}

function main(): void {
  const dataset = readDataset(join(EXAMPLE_FOLDER, 'data'));
  const startedAt = performance.now();
  const { weights, heldOut, accuracy } = train(dataset);
  const seconds = (performance.now() - startedAt) / 1000;
  const model = exportOnnx(weights);
  writeFileSync(join(EXAMPLE_FOLDER, 'model.onnx'), model);
  writeFileSync(join(EXAMPLE_FOLDER, 'labels.json'), `${JSON.stringify(dataset.labels, null, 2)}\n`);

  const percent = (share: number) => `${(share * 100).toFixed(1)} %`.padStart(7);
  const trainedOn = dataset.messages.length - heldOut.messages.length;
  console.log(`trained on ${trainedOn} messages in ${seconds.toFixed(1)} s, held out ${heldOut.messages.length}`);
  console.log('mistakes (expected / answered):');
  for (const { text, expected, answered } of accuracy.mistakes) console.log(`  ${expected} / ${answered}: ${text}`);
  for (const [label, name] of dataset.labels.entries()) console.log(`${percent(accuracy.perIntent[label]!)}  ${name}`);
  console.log(`${percent(accuracy.overall)}  held-out accuracy`);
  console.log(`model.onnx: ${model.length} bytes`);
}

// realpath: where the path holds a symbolic link, argv[1] has the link and import.meta.url its target.
const [, started] = process.argv;
if (started && existsSync(started) && realpathSync(started) === fileURLToPath(import.meta.url)) main();
