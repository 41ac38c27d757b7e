// Models in workers of an ordinary program: no command, no port, no state folder. `node examples/embed/main.mjs`
import { withPool } from 'model-supervisor';

const at = (path) => new URL(path, import.meta.url);

await withPool(
  {
    default_model: 'intents',
    models: {
      intents: {
        versions: { v1: { module: at('../intents/model.mjs') }, v2: { module: at('../intents/model.mjs') } },
        workers: { min: 1, max: 2 },
        routing: { strategy: 'least_response_time' },
      },
      // Loaded by its first prediction, and unloaded after a second without any.
      writer: { module: at('../writer/model.mjs'), workers: { min: 0, max: 1 }, scale: { to_zero_after: '1s' } },
    },
  },
  async (pool) => {
    console.log('one:', await pool.predict('my parcel never arrived'));

    const inputs = ['I want my money back', 'cancel my order', 'how do I reset my password?'];
    const { results } = await pool.predictBatch(inputs, { version: 'v1', priority: 5, timeout: '5s' });
    for (const [i, result] of results.entries())
      console.log(`${inputs[i]}:`, result.ok ? result.output : result.error.message);

    process.stdout.write('writer: ');
    for await (const word of pool.stream({ text_input: 'A', parameters: { max_words: 8 } }, { model: 'writer' }))
      process.stdout.write(word);
    console.log();

    const writerIsIdle = new Promise((resolve) => {
      pool.onEvent((event) => event.type === 'app' && event.app === 'writer@v1' && event.state === 'idle' && resolve());
    });
    await pool.scale('intents@v1', 2);
    await pool.unload('intents@v2');
    await writerIsIdle;
    for (const { name, version, state, ready } of pool.list())
      console.log(`${name}@${version}: ${state}, ${ready} ready`);
    console.log('healthy:', pool.health().ok);
    for (const { subject, action, reason } of pool.decisions()) console.log(`  ${subject}: ${action}, ${reason}`);
  },
);
