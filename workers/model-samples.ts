/**
 * A short-lived child: `model-samples.js MODULE` imports a model and tells its warm-up samples, without loading it.
 * Nothing is imported before the signals are taken, since SIGUSR1 would open the inspector.
 */
process.on('SIGUSR1', () => {});
// Nothing outlives who asked.
process.on('disconnect', () => process.exit(0));

const { messageOf } = await import('../src/errors.js');
const { importModel } = await import('./model-module.js');

type Answer = import('../src/sizing/samples.js').SamplesMessage;

try {
  const { warmup } = await importModel(process.argv[2] as string);
  await answer({ ok: true, samples: [...(warmup ?? [])] });
} catch (error) {
  // Also samples that cannot be sent, such as functions.
  await answer({ ok: false, message: messageOf(error) });
}

function answer(message: Answer): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

export {};
