/**
 * A perceptron with one hidden layer, softmax(relu(x·w1 + b1)·w2 + b2), trained with Adam on cross entropy.
 *
 * Reproducibility: the same examples, options and seed give the same bits. That rests on three things: all randomness comes
 * from the seed; the order of every sum is fixed (one thread, plain loops); and only + - * / and Math.sqrt are used, of which
 * every bit is defined by ECMAScript and IEEE 754. Math.exp, Math.log and Math.pow are left to the engine, so none is used.
 */
import { type Random, seededRandom, shuffle } from './random.js';

/** Matrices are row-major: `w1[input * hidden + unit]`, `w2[unit * outputs + output]`. */
export interface Weights {
  inputs: number;
  hidden: number;
  outputs: number;
  w1: Float32Array;
  b1: Float32Array;
  w2: Float32Array;
  b2: Float32Array;
}

/** A row of features without its zeros (about 150 of thousands are left), and what the model should say to it. */
export interface Example {
  indices: Uint16Array;
  values: Float32Array;
  label: number;
}

export interface LearnOptions {
  hidden: number;
  epochs: number;
  batchSize: number;
  /** Adam's step at the first batch; it falls linearly to zero at the last one. */
  learningRate: number;
  /** Share of the features, and of the hidden units, that an example does without each time it is seen. */
  dropout: number;
  /** Share of the target that goes to all labels alike, against overconfidence. */
  labelSmoothing: number;
  seed: number;
}

export function sparseExample(row: Float32Array, label: number): Example {
  const indices = Uint16Array.from(row.keys()).filter((i) => row[i] !== 0);
  return { indices, values: Float32Array.from(indices, (i) => row[i]!), label };
}

export function learn(examples: readonly Example[], inputs: number, outputs: number, options: LearnOptions): Weights {
  const random = seededRandom(options.seed);
  const weights = initialWeights(inputs, options.hidden, outputs, random);
  const gradients = zeroWeights(inputs, options.hidden, outputs);
  const adam = new Adam(weights, gradients);
  const steps = options.epochs * Math.ceil(examples.length / options.batchSize);
  let step = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const order = shuffle(examples, random);
    for (let start = 0; start < order.length; start += options.batchSize) {
      const batch = order.slice(start, start + options.batchSize);
      for (const example of batch) addGradient(weights, gradients, example, options, batch.length, random);
      adam.step(options.learningRate * (1 - step / steps));
      step++;
    }
  }
  return weights;
}

/** The probability of each label: what the exported model answers, up to float32 rounding. */
export function forward(weights: Weights, example: Example): Float64Array {
  return outputLayer(weights, hiddenLayer(weights, example.indices, example.values));
}

function hiddenLayer({ hidden, w1, b1 }: Weights, indices: Uint16Array, values: Float32Array): Float64Array {
  const activations = Float64Array.from(b1);
  for (let k = 0; k < indices.length; k++) {
    const value = values[k]!;
    const row = indices[k]! * hidden;
    if (value !== 0) for (let unit = 0; unit < hidden; unit++) activations[unit]! += value * w1[row + unit]!;
  }
  for (let unit = 0; unit < hidden; unit++) activations[unit] = Math.max(0, activations[unit]!);
  return activations;
}

function outputLayer({ hidden, outputs, w2, b2 }: Weights, activations: Float64Array): Float64Array {
  const scores = Float64Array.from(b2);
  for (let unit = 0; unit < hidden; unit++) {
    const activation = activations[unit]!;
    const row = unit * outputs;
    if (activation !== 0)
      for (let output = 0; output < outputs; output++) scores[output]! += activation * w2[row + output]!;
  }
  softmaxInPlace(scores);
  return scores;
}

/** Adds one example's share of its batch's gradient to `gradients`. */
function addGradient(
  weights: Weights,
  gradients: Weights,
  { indices, values: allValues, label }: Example,
  { dropout, labelSmoothing }: LearnOptions,
  batchLength: number,
  random: Random,
): void {
  const { hidden, outputs, w2 } = weights;
  const values = allValues.map((value) => value * keepFactor(dropout, random));
  const activations = hiddenLayer(weights, indices, values);
  const keep = activations.map(() => keepFactor(dropout, random));
  for (let unit = 0; unit < hidden; unit++) activations[unit]! *= keep[unit]!;

  const errors = outputLayer(weights, activations);
  for (let output = 0; output < outputs; output++) {
    const target = labelSmoothing / outputs + (output === label ? 1 - labelSmoothing : 0);
    // Cross entropy's gradient through softmax: probability minus target.
    errors[output] = (errors[output]! - target) / batchLength;
    gradients.b2[output]! += errors[output]!;
  }

  const hiddenErrors = new Float64Array(hidden);
  for (let unit = 0; unit < hidden; unit++) {
    const activation = activations[unit]!;
    if (activation === 0) continue; // cut by relu or dropped: no gradient flows
    let error = 0;
    for (let output = 0; output < outputs; output++) {
      const at = unit * outputs + output;
      gradients.w2[at]! += activation * errors[output]!;
      error += errors[output]! * w2[at]!;
    }
    hiddenErrors[unit] = error * keep[unit]!;
    gradients.b1[unit]! += hiddenErrors[unit]!;
  }
  for (let k = 0; k < indices.length; k++) {
    const value = values[k]!;
    const row = indices[k]! * hidden;
    if (value !== 0) for (let unit = 0; unit < hidden; unit++) gradients.w1[row + unit]! += value * hiddenErrors[unit]!;
  }
}

/** 0 for what is dropped; what stays grows, so that the expected sum does not change. */
function keepFactor(dropout: number, random: Random): number {
  return random() < dropout ? 0 : 1 / (1 - dropout);
}

/** He's uniform initialisation. */
function initialWeights(inputs: number, hidden: number, outputs: number, random: Random): Weights {
  const weights = zeroWeights(inputs, hidden, outputs);
  const draw = (fanIn: number) => (random() * 2 - 1) * Math.sqrt(6 / fanIn);
  weights.w1 = weights.w1.map(() => draw(inputs));
  weights.w2 = weights.w2.map(() => draw(hidden));
  return weights;
}

function zeroWeights(inputs: number, hidden: number, outputs: number): Weights {
  const w1 = new Float32Array(inputs * hidden);
  const w2 = new Float32Array(hidden * outputs);
  return { inputs, hidden, outputs, w1, b1: new Float32Array(hidden), w2, b2: new Float32Array(outputs) };
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Kingma and Ba's Adam. Changes the weights in place, and clears the gradients that it has used. */
class Adam {
  readonly #tensors: { weight: Float32Array; gradient: Float32Array; mean: Float32Array; square: Float32Array }[];
  // Running products, because `**` may round differently in another engine.
  #beta1Power = 1;
  #beta2Power = 1;

  constructor(weights: Weights, gradients: Weights) {
    this.#tensors = (['w1', 'b1', 'w2', 'b2'] as const).map((name) => ({
      weight: weights[name],
      gradient: gradients[name],
      mean: new Float32Array(weights[name].length),
      square: new Float32Array(weights[name].length),
    }));
  }

  step(learningRate: number): void {
    this.#beta1Power *= BETA1;
    this.#beta2Power *= BETA2;
    const meanScale = 1 / (1 - this.#beta1Power);
    const squareScale = 1 / (1 - this.#beta2Power);
    for (const { weight, gradient, mean, square } of this.#tensors) {
      for (let i = 0; i < weight.length; i++) {
        const g = gradient[i]!;
        const m = BETA1 * mean[i]! + (1 - BETA1) * g;
        const s = BETA2 * square[i]! + (1 - BETA2) * g * g;
        mean[i] = m;
        square[i] = s;
        weight[i]! -= (learningRate * m * meanScale) / (Math.sqrt(s * squareScale) + EPSILON);
      }
      gradient.fill(0);
    }
  }
}

function softmaxInPlace(scores: Float64Array): void {
  const highest = scores.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    scores[i] = exp(scores[i]! - highest);
    sum += scores[i]!;
  }
  for (let i = 0; i < scores.length; i++) scores[i]! /= sum;
}

/** e^x for x <= 0 from exact operations: Taylor's series of x / 1024, squared ten times. Relative error under 1e-9. */
function exp(x: number): number {
  if (x < -60) return 0;
  const r = x / 1024;
  let power = 1 + r * (1 + (r / 2) * (1 + (r / 3) * (1 + (r / 4) * (1 + (r / 5) * (1 + r / 6)))));
  for (let i = 0; i < 10; i++) power *= power;
  return power;
}
