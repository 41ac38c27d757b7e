import type { Io } from './io.js';

export interface Interrupt {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  /** What a program exits with that was ended by the signal that came. */
  readonly exitCode: number;
  release(): void;
}

const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** For commands that have something to put away before they end. */
export function onceInterrupted(io: Io): Interrupt {
  const controller = new AbortController();
  let exitCode: number = EXIT_OF_SIGNAL.SIGINT;
  const abort = (signal: keyof typeof EXIT_OF_SIGNAL) => {
    if (!controller.signal.aborted) exitCode = EXIT_OF_SIGNAL[signal];
    controller.abort(new DOMException(`${signal} came`, 'AbortError'));
  };
  const releaseInterrupt = io.onInterrupt(() => abort('SIGINT'));
  const others = (['SIGTERM', 'SIGHUP'] as const).map((signal) => ({ signal, listener: () => abort(signal) }));
  for (const { signal, listener } of others) process.on(signal, listener);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    release() {
      releaseInterrupt();
      for (const { signal, listener } of others) process.off(signal, listener);
    },
  };
}
