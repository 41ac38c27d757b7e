import { fileURLToPath } from 'node:url';
import { defineModel } from 'model-supervisor';
import { createClassifier } from './classifier.mjs';

export default defineModel({
  platform: 'onnx',
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
  outputs: [
    { name: 'label', datatype: 'BYTES', shape: [-1] },
    { name: 'score', datatype: 'FP32', shape: [-1] },
  ],
  load: () => createClassifier(fileURLToPath(new URL('./model.onnx', import.meta.url))),
  predict: (classifier, texts) => classifier.classify(texts),
  unload: (classifier) => classifier.release(),
  warmup: ['Where is my order?'],
  rows: true, // one text, one answer: batches of different clients may be joined
});
