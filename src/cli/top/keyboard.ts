import type { Readable } from 'node:stream';
import type { ReadStream } from 'node:tty';

/** Cursor and function keys and the like: their letters are not meant as such. */
const SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|O.)/g;

/** Calls back with each key until the function that it returns is called; does nothing where there is no keyboard. */
export function onKey(stdin: Readable, listener: (key: string) => void): () => void {
  const keyboard = stdin as Partial<ReadStream> & Readable;
  if (!keyboard.isTTY || !keyboard.setRawMode) return () => undefined;
  const onData = (chunk: Buffer | string) => {
    for (const key of chunk.toString('latin1').replace(SEQUENCE, '')) listener(key);
  };
  keyboard.setRawMode(true);
  keyboard.on('data', onData).resume();
  return () => {
    keyboard.off('data', onData).pause();
    keyboard.setRawMode?.(false);
  };
}
