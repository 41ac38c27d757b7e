/** The trained model, ready to answer. It knows nothing of the supervisor, so that anything can run it in the same way. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { FEATURES, featurize } from './features.mjs';

/** Rows of a buffer that is kept for the next call; a larger batch gets a buffer of its own. */
const BATCH_CAPACITY = 32;

/**
 * @param {string} modelPath of model.onnx; labels.json lies beside it
 * @returns {Promise<import('./classifier.mjs').Classifier>}
 */
export async function createClassifier(modelPath) {
  const labels = JSON.parse(await readFile(join(dirname(modelPath), 'labels.json'), 'utf8'));
  const session = await ort.InferenceSession.create(modelPath, {
    // Many workers share the machine: each takes one core, and the supervisor decides how many there are.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3, // errors
  });

  // A buffer belongs to one call from its features to the end of its run, since calls may overlap while they wait.
  /** @type {Float32Array[]} */
  const idleBuffers = [];

  return {
    async classify(texts) {
      if (!Array.isArray(texts)) throw new TypeError(`classify() takes an array of strings, not ${typeName(texts)}`);
      const wrong = texts.findIndex((text) => typeof text !== 'string');
      if (wrong !== -1) throw new TypeError(`input ${wrong} is ${typeName(texts[wrong])}, not a string`);
      if (texts.length === 0) return [];

      const fits = texts.length <= BATCH_CAPACITY;
      const buffer = (fits && idleBuffers.pop()) || new Float32Array(Math.max(texts.length, BATCH_CAPACITY) * FEATURES);
      try {
        for (let i = 0; i < texts.length; i++) featurize(texts[i], buffer, i * FEATURES);
        const rows = buffer.subarray(0, texts.length * FEATURES);
        const features = new ort.Tensor('float32', rows, [texts.length, FEATURES]);
        const { probabilities } = await session.run({ features });
        return texts.map((_, i) => best(probabilities.data, i * labels.length, labels));
      } finally {
        if (fits) idleBuffers.push(buffer);
      }
    },
    release: () => session.release(),
  };
}

/**
 * @param {Float32Array} probabilities
 * @param {number} offset
 * @param {string[]} labels
 */
function best(probabilities, offset, labels) {
  let label = 0;
  for (let i = 1; i < labels.length; i++) if (probabilities[offset + i] > probabilities[offset + label]) label = i;
  return { label: labels[label], score: probabilities[offset + label] };
}

/** @param {unknown} value */
function typeName(value) {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
