import { describe, expect, it } from 'vitest';
import { Company } from '../../src/pool/company.js';
import { Bench, brief } from './fake-slots.js';

const HOST = 'zoo/host-1:7';

/** Two models with a thread each in one host, and one of the first in another. */
function neighbours() {
  const company = new Company();
  return [new Bench({ model: 'a@v1' }, company), new Bench({ model: 'b@v1' }, company)] as const;
}

/** The host takes its threads with it, and new ones come. */
async function dies(bench: Bench, worker: string): Promise<void> {
  bench.dispatcher.remove(worker, 'dead-own-fault');
  bench.turn();
  bench.worker(worker, HOST);
  await Promise.resolve();
}

describe('models in one host', () => {
  it('are not blamed for the death of it while another was at work there', async () => {
    const [a, b] = neighbours();
    a.worker('a/1', HOST);
    b.worker('b/1', HOST);
    for (let death = 0; death < 3; death++) {
      const [ofA, ofB] = [a.send(['x']), b.send(['y'])];
      for (let life = 0; life < 2; life++) {
        await dies(a, 'a/1');
        await dies(b, 'b/1');
      }
      // Their second chance is gone, too; but nothing is held against them.
      expect(brief([...(await ofA), ...(await ofB)])).toEqual(['SUP_WORKER_DIED', 'SUP_WORKER_DIED']);
    }
    expect([...a.dispatcher.quarantine.list(), ...b.dispatcher.quarantine.list()].some((q) => q.quarantined)).toBe(
      false,
    );
  });

  it('are blamed for what they did alone', async () => {
    const [a, b] = neighbours();
    a.worker('a/1', HOST);
    const idle = b.worker('b/1', HOST);
    const done = b.send(['y']);
    b.answer(idle);
    await done;
    const reply = a.send(['x']);
    for (let life = 0; life < 2; life++) await dies(a, 'a/1');
    await reply;
    expect(a.dispatcher.quarantine.list()).toMatchObject([{ quarantined: true }]);
  });
});
