// Names birds, slowly: one of its workers is slower than the others, as a busy neighbour or a throttled core would make it. The
// input `crash` ends the worker in the middle of its work, as a fault in native code does.
import { setTimeout as sleep } from 'node:timers/promises';

const BIRDS = ['blackbird', 'robin', 'wren', 'jay', 'heron'];

export default {
  load: ({ options }) => {
    const isSlow = Number(process.env.NODE_APP_INSTANCE) === options.slowPlace;
    return { ms: options.ms * (isSlow ? options.slowFactor : 1) };
  },
  async predict({ ms }, sightings) {
    await sleep(ms);
    if (sightings.includes('crash')) process.kill(process.pid, 'SIGKILL');
    return sightings.map((sighting) => BIRDS[sighting % BIRDS.length]);
  },
  health: () => true,
};
