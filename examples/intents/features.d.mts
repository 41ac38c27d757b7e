export const FEATURES: number;
export const MAX_CHARS: number;
/** Writes the features of `text` to `rows[offset … offset + FEATURES)`, whatever was there before. */
export function featurize(text: string, rows: Float32Array, offset: number): void;
