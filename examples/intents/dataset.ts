import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Random, shuffle } from './random.js';

/** One message and the number of its intent in `Dataset.labels`. */
export interface Message {
  text: string;
  label: number;
}

export interface Dataset {
  /** Intents in alphabetical order; the model's outputs have the same order. */
  labels: string[];
  messages: Message[];
}

/** Reads a folder of `<intent>.txt` files, one message a line. */
export function readDataset(folder: string): Dataset {
  // The default sort compares code units, so the order does not depend on the locale.
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort();
  const messages = files.flatMap((name, label) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map((text) => ({ text, label })),
  );
  return { labels: files.map((name) => name.replace(/\.txt$/, '')), messages };
}

/** Holds out `share` (0 … 1) of the messages of every intent, so that each is measured by the same yardstick. */
export function splitDataset(dataset: Dataset, share: number, random: Random): { training: Dataset; heldOut: Dataset } {
  const training: Message[] = [];
  const heldOut: Message[] = [];
  for (const label of dataset.labels.keys()) {
    const ofLabel = shuffle(
      dataset.messages.filter((message) => message.label === label),
      random,
    );
    const cut = Math.round(ofLabel.length * share);
    heldOut.push(...ofLabel.slice(0, cut));
    training.push(...ofLabel.slice(cut));
  }
  return {
    training: { labels: dataset.labels, messages: training },
    heldOut: { labels: dataset.labels, messages: heldOut },
  };
}
