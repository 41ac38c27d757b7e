import stringWidth from 'string-width';
import { printable } from '../printable.js';

const ELLIPSIS = '…';
const segmenter = new Intl.Segmenter();

/** Text of others as one line of known width: a tab is as wide as the terminal likes. */
export function flat(text: string): string {
  return printable(text.replaceAll('\t', ' '));
}

/** Columns that it takes on a terminal. */
export function widthOf(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}

/** At most `width` columns of it; what is cut ends with an ellipsis. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  for (const { segment } of segmenter.segment(text)) {
    if (widthOf(kept + segment) > width - 1) break;
    kept += segment;
  }
  return kept + ELLIPSIS;
}

export function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'left' ? text + space : space + text;
}
