import type { Random } from '../random.js';

/** What a model is like, apart from when it is called. */
export interface ModelShape {
  name: string;
  mb: number;
  loadSeconds: number;
  /** Of its execution times. */
  medianMs: number;
  /** Of its own stream of random numbers. */
  seed: number;
}

/** Files of models differ by orders of magnitude: log-normal, half of them up to 120 MB, one in fifty above 900. */
const MEDIAN_MB = 120;
const MB_DEVIATION = 1;
const LOAD_SECONDS = 0.5;
const LOAD_MB_PER_SECOND = 200;
/** Log-normal execution times, median 0.68 s. "Serverless in the Wild" has a deviation of 2.36, over programs of all kinds. */
const LOG_MEAN_SECONDS = -0.38;
const LOG_DEVIATION = 1;

/** What no trace of calls tells is drawn. */
export function drawnShape(name: string, random: Random): ModelShape {
  const mb = MEDIAN_MB * Math.exp(MB_DEVIATION * random.normal());
  const medianMs = 1000 * Math.exp(LOG_MEAN_SECONDS + LOG_DEVIATION * random.normal());
  return { name, mb, loadSeconds: LOAD_SECONDS + mb / LOAD_MB_PER_SECOND, medianMs, seed: random.integer() };
}
