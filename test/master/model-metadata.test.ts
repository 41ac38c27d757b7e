import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/clock.js';
import type { ModelAppConfig } from '../../src/config/schema.js';
import { ModelMetadataReader } from '../../src/master/model-metadata.js';
import type { Entry, Registry } from '../../src/master/registry.js';
import type { ModelInfo } from '../../src/worker/protocol.js';
import { builtWorker } from '../support/built.js';

let dir: string;
let clock: ManualClock;
let alive: Set<number>;
let woken: string[];
let wakes: boolean;
let warnings: string[];
/** What workers that are ready say, by version. */
let loaded: Map<string, ModelInfo>;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'metadata-'));
  clock = new ManualClock();
  alive = new Set();
  wakes = true;
  [woken, warnings, loaded] = [[], [], new Map()];
});
afterEach(async () => {
  // Whatever still hangs is given up, also after a test that failed.
  clock.advance(60_000);
  await expect.poll(() => alive.size, { message: 'no child is left' }).toBe(0);
  rmSync(dir, { recursive: true, force: true });
});

const module = (name = 'v1'): string => path.join(dir, `${name}.mjs`);
const imports = (): number => {
  try {
    return readFileSync(path.join(dir, 'imports'), 'utf8').length;
  } catch {
    // None so far.
    return 0;
  }
};

function write(declared: string, name = 'v1', before = ''): void {
  const count = `import { appendFileSync } from 'node:fs'; appendFileSync(${JSON.stringify(path.join(dir, 'imports'))}, 'x');`;
  writeFileSync(module(name), `${count} ${before} export default { ${declared}, predict: (_, inputs) => inputs };`);
}

function reader(config: Partial<ModelAppConfig> = {}): { metadata: ModelMetadataReader; entry: Entry } {
  const versions = ['v1', 'v2'].map((version) => ({
    version,
    module: module(version),
    options: {},
    weight: null,
    unload: { strategy: null, preference: null },
  }));
  const app = {
    name: 'm',
    config: {
      ...{ kind: 'model', name: 'm', versions, defaultVersion: 'v1', cwd: dir, env: {}, args: [], nodeArgs: [] },
      limits: { heapBytes: null, memoryBytes: null },
      ...config,
    },
    pools: { get: (version: string) => ({ readyCount: () => (loaded.has(version) ? 1 : 0) }) },
  };
  const entry = { app, model: { info: (version: string) => loaded.get(version) ?? null } } as unknown as Entry;
  const metadata = new ModelMetadataReader({
    registry: { get: (name: string) => (name === 'm' ? entry : undefined) } as Registry,
    clock,
    home: dir,
    workersDir: path.dirname(builtWorker('model-describe.js')),
    groups: { mark: {}, add: (pid) => void alive.add(pid), remove: (pid) => void alive.delete(pid) },
    warn: (text) => void warnings.push(text),
    wake: (_entry, version) => {
      woken.push(version);
      return wakes;
    },
  });
  return { metadata, entry };
}

const text = { name: 'text', datatype: 'BYTES', shape: [-1] };
const declared = `platform: 'p', inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }], rows: true`;
const info = (parts: Partial<ModelInfo> = {}): ModelInfo =>
  ({ platform: 'worker', inputs: [text], outputs: [], rows: false, ...parts }) as ModelInfo;

describe('a model that was never loaded', () => {
  it('is read by a child, once, and never loaded or woken by that', async () => {
    write(`${declared}, load() { throw new Error('loaded') }`);
    const { metadata } = reader();
    const all = await Promise.all([metadata.of('m', null), metadata.of('m', 'v1'), metadata.of('m', null)]);
    for (const each of all)
      expect(each).toEqual({
        ...{ name: 'm', versions: ['v1', 'v2'], version: 'v1', platform: 'p', rows: true, streams: false },
        ...{ inputs: [text], outputs: [] },
      });
    expect([imports(), woken]).toEqual([1, []]);
  });

  it('is read as a worker would be started: environment, folder and arguments', async () => {
    writeFileSync(
      module(),
      'export default { platform: [process.env.KIND, process.cwd(), ...process.argv.slice(2), ...process.execArgv].join(), predict() {} }',
    );
    const { metadata } = reader({ env: { KIND: 'gpu' }, args: ['--fast'], nodeArgs: ['--no-warnings'] });
    expect((await metadata.of('m', null)).platform).toBe(`gpu,${dir},--fast,--no-warnings`);
  });

  it('is kept over restarts for as long as its text is the same', async () => {
    write(declared);
    await reader().metadata.of('m', null);
    const kept = path.join(dir, 'metadata');
    await expect.poll(() => readdirSync(kept).length).toBe(1);
    expect(statSync(path.join(kept, readdirSync(kept)[0] as string)).mode & 0o777).toBe(0o600);
    const { metadata } = reader();
    expect((await metadata.of('m', null)).platform).toBe('p');
    expect(imports()).toBe(1);
    write(declared.replace("'p'", "'q'"));
    expect((await metadata.of('m', null)).platform).toBe('q');
    expect(imports()).toBe(2);
  });

  it('is read again where the file that was kept is damaged, and stays usable where none can be written', async () => {
    write(declared);
    writeFileSync(path.join(dir, 'metadata'), 'a file where the folder should be');
    const { metadata } = reader();
    expect((await metadata.of('m', null)).platform).toBe('p');
    await expect.poll(() => warnings).toEqual([expect.stringMatching(/cannot be kept/)]);
  });

  it.each<[string, string, RegExp]>([
    ['throws', "throw new Error('no licence');", /^m@v1 cannot be read: no licence$/],
    ['exits', 'process.exit(7);', /its import ended with code 7/],
    ['is killed', "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});", /ended with SIGKILL/],
  ])('is refused with 503 where its import %s, and not tried again at once', async (_name, before, message) => {
    write(declared, 'v1', before);
    const { metadata } = reader();
    for (let i = 0; i < 3; i++) {
      const error = await metadata.of('m', null).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'SUP_LOAD_FAILED', status: 503, message: expect.stringMatching(message) });
    }
    expect(imports()).toBe(1);
    clock.advance(10_000);
    await metadata.of('m', null).catch(() => {});
    expect(imports()).toBe(2);
    // A new text is another matter.
    write(declared);
    expect((await metadata.of('m', null)).platform).toBe('p');
  });

  it('is refused where there is no module, and given up where its import hangs', async () => {
    write(declared, 'v1', 'for (;;);');
    const { metadata } = reader();
    const asked = ['v1', 'v2'].map((version) => metadata.of('m', version).catch((error) => error.message));
    await expect.poll(imports).toBe(1);
    clock.advance(10_000);
    const [hanging, missing] = await Promise.all(asked);
    expect(hanging).toMatch(/its import takes longer than 10 s/);
    expect(missing).toMatch(/m@v2 cannot be read: .*v2\.mjs/);
  });

  it('is woken where a request follows, and known as soon as a worker has loaded it, without a child', async () => {
    write(declared);
    const { metadata, entry } = reader();
    const asked = metadata.of('m', null, { wake: true });
    await expect.poll(() => woken).toEqual(['v1']);
    loaded.set('v1', info());
    metadata.noticed(entry);
    expect((await asked).platform).toBe('worker');
    clock.advance(60_000);
    await metadata.of('m', null);
    expect(imports()).toBe(0);
  });

  it('is read by a child where its load takes long, and that one ends when the load is faster', async () => {
    write(declared, 'v1', 'await new Promise(() => setInterval(() => {}, 1000));');
    const { metadata, entry } = reader();
    const asked = metadata.of('m', null, { wake: true });
    await expect.poll(() => woken).toEqual(['v1']);
    // One who only looks joins it.
    const looked = metadata.of('m', null);
    clock.advance(2000);
    await expect.poll(imports).toBe(1);
    loaded.set('v1', info());
    metadata.noticed(entry);
    expect([(await asked).platform, (await looked).platform]).toEqual(['worker', 'worker']);
    await expect.poll(() => alive.size).toBe(0);
  });

  it('is read by a child as soon as its load has failed', async () => {
    write(declared);
    const { metadata, entry } = reader();
    const asked = metadata.of('m', null, { wake: true });
    await expect.poll(() => woken).toEqual(['v1']);
    metadata.gaveUp(entry);
    metadata.gaveUp(entry);
    expect((await asked).platform).toBe('p');
    expect(imports()).toBe(1);
  });

  it('is read by a child at once where nothing loads', async () => {
    write(declared);
    wakes = false;
    expect((await reader().metadata.of('m', null, { wake: true })).platform).toBe('p');
    expect([woken, imports()]).toEqual([['v1'], 1]);
  });
});

describe('a model that is loaded', () => {
  it('says itself what it declares, and that is kept for the time when it is not', async () => {
    write(declared);
    const { metadata, entry } = reader();
    loaded.set('v1', info());
    metadata.noticed(entry);
    expect((await metadata.of('m', null)).platform).toBe('worker');
    await expect.poll(() => readdirSync(path.join(dir, 'metadata')).length).toBe(1);
    loaded.clear();
    expect((await metadata.of('m', null)).platform).toBe('worker');
    expect(imports()).toBe(0);
  });

  it.each<[unknown, RegExp]>([
    [null, /m@v1 declares inputs\[0\] without a name/],
    [{ name: 'x' }, /inputs\[0\] \('x'\) without a datatype/],
    [{ name: 'x', datatype: 'FP32' }, /inputs\[0\] \('x'\) without a shape/],
    [{ name: 'x', datatype: 'FP32', shape: [-2] }, /-1 for any length/],
  ])('is blamed for declaring %j', async (tensor, message) => {
    write(declared);
    const { metadata } = reader();
    loaded.set('v1', info({ inputs: [tensor] }));
    await expect(metadata.of('m', null)).rejects.toMatchObject({
      code: 'SUP_MODEL_ERROR',
      message: expect.stringMatching(message),
    });
  });

  it('is not there under another name or version', async () => {
    const { metadata } = reader();
    await expect(metadata.of('n', null)).rejects.toMatchObject({ code: 'SUP_MODEL_NOT_FOUND' });
    await expect(metadata.of('m', 'v9')).rejects.toMatchObject({ message: "m has no version 'v9'; there are: v1, v2" });
  });
});
