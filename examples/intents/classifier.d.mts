export interface Intent {
  label: string;
  /** The label's probability, 0 … 1. */
  score: number;
}

export interface Classifier {
  /**
   * One answer per text, from one run of the model.
   * @throws TypeError when an input is not a string; then none is answered.
   */
  classify(texts: readonly string[]): Promise<Intent[]>;
  /** Frees the native session; the classifier is of no use afterwards. */
  release(): Promise<void>;
}

/** Loads `modelPath` and the labels.json beside it. */
export function createClassifier(modelPath: string): Promise<Classifier>;
