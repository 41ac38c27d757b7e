/**
 * A short-lived child: `model-describe.js MODULE` imports a model and tells what it declares, without loading it.
 * Nothing is imported before the signals are taken, since SIGUSR1 would open the inspector.
 */
process.on('SIGUSR1', () => {});
process.on('SIGINT', () => {});
// Nothing outlives who asked.
process.on('disconnect', () => process.exit(0));

const [module] = process.argv.splice(2, 1);
const { messageOf } = await import('../src/errors.js');
const { importModel, infoOf } = await import('./model-module.js');

type Answer = import('../src/master/module-info.js').InfoMessage;

try {
  await answer({ ok: true, info: infoOf(await importModel(module as string)) });
} catch (error) {
  // Also declarations that cannot be sent, such as functions.
  await answer({ ok: false, message: messageOf(error) });
}

function answer(message: Answer): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

export {};
