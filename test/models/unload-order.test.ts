import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/models/model.js';
import { allRequirementsOf, neededBy } from '../../src/models/requirements.js';
import { UnloadOrder } from '../../src/models/unload-order.js';
import { turn } from '../support/fake-pool.js';

/** As much of a model as unloading by hand looks at. */
class FakeModel {
  readonly app: { name: string };
  readonly version = 'v1';
  readonly name: string;
  readonly pool = { phase: 'running' };
  loaded = true;
  unloading: Promise<void> | null = null;

  constructor(
    name: string,
    readonly requires: string[] = [],
  ) {
    this.app = { name };
    this.name = `${name}@v1`;
  }

  get isLeaving(): boolean {
    return !this.loaded && this.unloading !== null;
  }
  get config() {
    const { requires } = this;
    return { name: this.app.name, versions: ['v1'], defaultVersion: 'v1', unload: { requires } };
  }
}

class Rig {
  readonly models: Model[];
  readonly loading = new Set<string>();
  readonly log: string[] = [];
  readonly #ends = new Map<string, () => void>();
  readonly order: UnloadOrder;

  constructor(requires: Record<string, string[]>) {
    this.models = Object.entries(requires).map(([name, of]) => new FakeModel(name, of) as unknown as Model);
    this.order = new UnloadOrder({
      models: () => this.models,
      isLoading: ({ app }) => this.loading.has(app.name),
      unload: (model) => {
        const fake = model as unknown as FakeModel;
        const { name } = fake.app;
        this.log.push(`-${name}`);
        fake.loaded = false;
        fake.unloading = new Promise((resolve) => {
          this.#ends.set(name, () => {
            fake.unloading = null;
            this.log.push(`${name} gone`);
            resolve();
          });
        });
        return fake.unloading;
      },
    });
  }

  of(name: string): Model {
    return this.models.find(({ app }) => app.name === name) as Model;
  }

  unload(...names: string[]): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled(names.map((name) => this.order.unload(this.of(name), 'by hand')));
  }

  /** Its last worker has ended. */
  async gone(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await turn();
  }
}

const CHAIN = { tokenizer: [], encoder: ['tokenizer@v1'], ranker: ['encoder'], other: [] };

describe('unloading by hand', () => {
  it('is refused for a model that another one needs, directly or not', async () => {
    const rig = new Rig(CHAIN);
    const [refused] = await rig.unload('tokenizer');
    expect(refused).toMatchObject({
      reason: {
        code: 'SUP_CONFLICT',
        message: 'tokenizer@v1 is needed by encoder, ranker: unload encoder, ranker first',
        data: { needed_by: ['encoder@v1', 'ranker@v1'] },
      },
    });
    (rig.of('encoder') as unknown as FakeModel).loaded = false;
    const [still] = await rig.unload('tokenizer');
    expect(still).toMatchObject({ reason: { message: expect.stringContaining('needed by ranker') } });
    expect(rig.log).toEqual([]);
  });

  it('of many at once goes in order, each after those that need it have ended', async () => {
    const rig = new Rig(CHAIN);
    const all = rig.unload('tokenizer', 'encoder', 'ranker', 'other');
    await turn();
    expect(rig.log).toEqual(['-ranker', '-other']);
    await rig.gone('ranker');
    expect(rig.log.slice(2)).toEqual(['ranker gone', '-encoder']);
    await rig.gone('encoder');
    await rig.gone('tokenizer');
    await rig.gone('other');
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect(rig.log.slice(4, 6)).toEqual(['encoder gone', '-tokenizer']);
  });

  it('waits for one that needs it and is on its way out already', async () => {
    const rig = new Rig(CHAIN);
    void rig.unload('ranker');
    await turn();
    const next = rig.unload('encoder');
    await turn();
    expect(rig.log).toEqual(['-ranker']);
    await rig.gone('ranker');
    await rig.gone('encoder');
    await next;
    expect(rig.log).toEqual(['-ranker', 'ranker gone', '-encoder', 'encoder gone']);
  });

  it('of what needs it coming to nothing, leaves it there', async () => {
    const rig = new Rig(CHAIN);
    rig.loading.add('ranker');
    const results = await rig.unload('encoder', 'ranker');
    expect(results).toMatchObject([
      { reason: { message: 'encoder@v1 is needed by ranker: unload ranker first' } },
      { reason: { message: 'ranker@v1 is loading; unload it when that is done' } },
    ]);
    expect(rig.log).toEqual([]);
  });

  it('joins one that is under way, and does nothing to what is stopped', async () => {
    const rig = new Rig(CHAIN);
    const [a, b] = [rig.order.unload(rig.of('other'), ''), rig.order.unload(rig.of('other'), '')];
    expect(a).toBe(b);
    await turn();
    await rig.gone('other');
    await a;
    (rig.of('ranker') as unknown as FakeModel).pool.phase = 'stopped';
    await rig.unload('ranker');
    expect(rig.log).toEqual(['-other', 'other gone']);
  });
});

describe('what a model requires', () => {
  it('is found by the app’s default version or by name, all the way down', () => {
    const { models, ...rig } = new Rig(CHAIN);
    const names = (found: Iterable<Model>) => [...found].map(({ app }) => app.name);
    const of = (name: string) => models.find(({ app }) => app.name === name) as Model;
    expect(names(allRequirementsOf(of('ranker'), models))).toEqual(['encoder', 'tokenizer']);
    expect(names(neededBy(of('tokenizer'), models))).toEqual(['encoder', 'ranker']);
    expect(rig.log).toEqual([]);
  });

  it('is never itself, not even in a circle', () => {
    const { models } = new Rig({ a: ['b', 'a'], b: ['a'] });
    const [a, b] = models as [Model, Model];
    expect([...allRequirementsOf(a, models)]).toEqual([b]);
    expect([...allRequirementsOf(b, models)]).toEqual([a]);
  });
});
