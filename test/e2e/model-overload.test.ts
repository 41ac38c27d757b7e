import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Box } from '../support/box.js';
import { Ledger } from '../support/ledger.js';
import { codeOf, Models } from '../support/models.js';

/** A model that can do 20 a second at most, and 40 clients that ask for several times as much, each with a deadline of 1 s. */
describe('a model under overload', () => {
  let box: Box;

  beforeAll(async () => {
    box = await Box.shared(`apps:
  slow: { module: $FIXTURES/models/journal.mjs, timeout: 1s, batching: { max_size: 1 }, options: { journal: slow.txt, batchMs: 50 } }
`);
    await box.ok('start', 'supervisor.yaml');
  });
  afterAll(() => box.close());

  it('refuses what cannot be answered in time with 429, answers the rest, and says so in its decisions', async () => {
    const ledger = await Ledger.start(box.inference, [
      {
        name: 'many',
        clients: 40,
        method: 'POST',
        path: '/predict/slow',
        body: JSON.stringify({ inputs: '$ID' }),
        keepAlive: true,
        maxPauseMs: 200,
      },
    ]);
    await ledger.more(600);
    const models = new Models(box);
    let refused = await models.ask('slow', 'x');
    while (refused.status !== 429) refused = await models.ask('slow', 'x');
    expect(codeOf(refused)).toBe('SUP_OVERLOADED');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);

    const book = await ledger.stop();
    expect([book.lost, book.duplicated]).toEqual([{}, 0]);
    const codes = Object.keys(book.pages.many?.typedErrors ?? {});
    expect(codes).toContain('SUP_OVERLOADED');
    expect(codes.filter((code) => code !== 'SUP_OVERLOADED' && code !== 'SUP_DEADLINE')).toEqual([]);

    const decisions = await box.decisions(({ action, subject }) => action === 'shed' && subject === 'slow@v1');
    expect(decisions[0]).toMatchObject({ policy: 'dispatch', reason: expect.stringContaining('overload') });
    expect(decisions[0]?.numbers.target_ms).toBeLessThan(500);
    // Nobody asks any more, so it ends by itself.
    expect((await models.ask('slow', 'x')).status).toBe(200);
  });
});
