// One thread of fastify-piscina.mjs. The classifier is loaded with the module; a task is one text.
import { workerData } from 'node:worker_threads';

const { createClassifier } = await import(workerData.classifier);
const classifier = await createClassifier(workerData.model);

/** @param {string} text */
export default async function classify(text) {
  const [intent] = await classifier.classify([text]);
  return intent;
}
