import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIXTURES, isRunning, until } from '../support/box.js';
import { PACKAGE } from '../support/live-workers.js';

let dir: string;
let programs: ChildProcess[];
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'pool-'));
  programs = [];
});
afterEach(() => {
  for (const program of programs) program.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

/** A program of its own: `print` tells a value, `model` is the path of a fixture. */
function program(source: string): ChildProcess {
  const whole = `import { createModelPool, withPool } from ${JSON.stringify(PACKAGE)};
    const print = (value) => console.log(JSON.stringify(value ?? null));
    const model = (name) => ${JSON.stringify(`${FIXTURES}/models/`)} + name + '.mjs';
    const failure = (promise) => promise.then(() => null, (error) => error.code + ': ' + error.message);
    ${source}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', whole], {
    cwd: dir,
    // A folder that must not be touched, and that no worker may know of.
    env: { ...process.env, SUPERVISOR_HOME: path.join(dir, 'home'), HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  programs.push(child);
  return child;
}

/** What the program prints, and that it ends by itself. */
async function told(source: string): Promise<unknown[]> {
  const child = program(source);
  const stdout = child.stdout as NonNullable<ChildProcess['stdout']>;
  const stderr = child.stderr as NonNullable<ChildProcess['stderr']>;
  const [out, errors, [code]] = await Promise.all([text(stdout), text(stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`the program ended with ${code}: ${errors}`);
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as unknown);
}

/** What the package is named in the environment of a worker of the pool. */
function environmentOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'utf8');
}

describe('a pool of one model', () => {
  it.each(['process', 'thread'])('predicts, streams and fails as a master does (%s)', async (isolation) => {
    const said = await told(`
      const pool = await createModelPool({ module: model('echo'), isolation: '${isolation}', workers: 2, log: null });
      print(await pool.predict('hello'));
      print(await pool.predict({ inputs: 'whole', timeout: 5, priority: 2 }));
      print(await pool.predict({ inputs: 'no', other: 'key' }));
      print(await pool.predict({ inputs: 'asked' }, { timeout: '5s' }));
      print(await failure(pool.predict('throw')));
      print(await failure(pool.predict('sleep 5000', { timeout: 0.1 })));
      const { results, worker, ...reply } = await pool.predictBatch(['a', 'throw', 'c']);
      print({ ...reply, timing: Object.keys(reply.timing), results: results.map((r) => r.ok ? r.output : r.error.code) });
      for await (const chunk of pool.stream('chunk')) print(chunk);
      const gone = new AbortController();
      const cancelled = failure(pool.predict('wait', { signal: gone.signal }));
      gone.abort();
      print(await cancelled);
      await pool.close();
      print(await failure(pool.predict('late')));`);
    expect(said).toEqual([
      'HELLO',
      'WHOLE',
      '[OBJECT OBJECT]',
      '[OBJECT OBJECT]',
      'SUP_MODEL_ERROR: RangeError: bad input',
      expect.stringContaining('SUP_DEADLINE'),
      {
        model: 'model',
        version: 'v1',
        timing: ['queue_ms', 'compute_ms', 'total_ms'],
        results: ['A', 'SUP_MODEL_ERROR', 'C'],
      },
      'CHUNK',
      expect.stringContaining('SUP_CANCELLED'),
      'SUP_SHUTTING_DOWN: the pool is closed',
    ]);
  });

  it('carries what JSON could not, and ends by `await using`', async () => {
    const said = await told(`
      const pool = await createModelPool({ module: model('unserialisable'), log: null });
      const out = await pool.predict(new Float32Array([1.5, 2]));
      print([out.constructor.name, ...out]);
      print((await failure(pool.predict(() => {}))).split(':')[0]);
      // What a compiler makes of it: Node 20 does not know the words.
      await pool[Symbol.asyncDispose]();`);
    expect(said).toEqual([['Float32Array', 1.5, 2], 'SUP_BAD_REQUEST']);
  });

  it('scales, unloads, loads on demand, and explains itself', async () => {
    const said = await told(`
      const pool = await createModelPool({ name: 'echo', module: model('echo'), workers: { min: 0, max: 2 }, log: null });
      const row = () => { const [{ state, ready, desired }] = pool.list(); return [state, ready, desired]; };
      print(row());
      print(await Promise.all(Array.from({ length: 50 }, () => pool.predict('x'))).then((all) => new Set(all).size));
      print([row(), pool.stats().models[0].loads.loads, pool.stats().models[0].inputs.succeeded]);
      await pool.scale(2);
      print(row());
      await pool.scale('-1');
      print(row());
      await pool.scale('echo', 'auto');
      await pool.unload();
      print(row());
      await pool.load('echo@v1');
      print(row());
      const before = pool.list()[0].workers[0].id;
      await pool.recycle();
      print([before, pool.list()[0].workers.filter((w) => w.state === 'ready').map((w) => w.id)]);
      print(await failure(pool.scale('many')));
      print(await failure(pool.load('other')));
      print(pool.decisions({ policy: 'load' }).map(({ subject, action }) => [subject, action]));
      print(pool.health());
      const { pressure, memory_bytes, limit_bytes, gpu_memory_bytes } = pool.stats();
      print([pressure, typeof memory_bytes, typeof limit_bytes, gpu_memory_bytes]);
      await pool.close();`);
    expect(said).toEqual([
      ['idle', 0, 0],
      1,
      [['online', 1, 1], 1, 50],
      ['online', 2, 2],
      ['online', 1, 1],
      ['idle', 0, 0],
      ['online', 1, 1],
      [expect.stringMatching(/^echo@v1\/\d+$/), [expect.stringMatching(/^echo@v1\/\d+$/)]],
      expect.stringContaining("SUP_BAD_REQUEST: 'many' is no size"),
      expect.stringContaining("SUP_NO_SUCH_TARGET: no app, worker or namespace 'other'"),
      [
        ['echo@v1', 'load'],
        ['echo@v1', 'load'],
      ],
      { ok: true, apps: [expect.objectContaining({ name: 'echo', version: 'v1', state: 'online', ready: 1 })] },
      ['low', expect.stringMatching(/number|object/), expect.stringMatching(/number|object/), null],
    ]);
    const [before, after] = said[7] as [string, string[]];
    expect(after).not.toContain(before);
  });

  it('goes to zero when it is idle, and back for the next prediction', async () => {
    const said = await told(`
      await withPool({ module: model('echo'), workers: { min: 0, max: 1 }, scale: { to_zero_after: '300ms' }, log: null }, async (pool) => {
        print(await pool.predict('one'));
        const idle = new Promise((resolve) => pool.onEvent((e) => e.type === 'app' && e.state === 'idle' && resolve()));
        await idle;
        print(pool.list()[0].ready);
        print(await pool.predict('two'));
      });`);
    expect(said).toEqual(['ONE', 0, 'TWO']);
  });

  it('gives its log lines, and no file anywhere', async () => {
    const said = await told(`
      const lines = [];
      const pool = await createModelPool({
        module: new URL('file://' + model('echo')), log: (line) => lines.push(line), dir: ${JSON.stringify(FIXTURES)},
      });
      await pool.close();
      await failure(createModelPool({ module: model('load-throws'), log: (line) => lines.push(line) }));
      print(lines.filter(({ line }) => line.includes('weights.bin'))[0]);`);
    expect(said[0]).toMatchObject({ app: 'model', worker: 'model@v1/1', stream: 'stderr' });
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('a pool of several models', () => {
  it('answers by name and version, each with its own settings', async () => {
    const said = await told(`
      const pool = await createModelPool({
        default_model: 'echo',
        box: { models: { cold_start: 'lazy' } },
        log: null,
        models: {
          echo: { module: model('echo') },
          greets: {
            default: 'v1',
            versions: {
              v1: { module: model('context'), options: { name: 'one' } },
              v2: { module: model('context'), options: { name: 'two' } },
            },
          },
        },
      });
      print(await pool.predict('x'));
      print((await pool.predict(0, { model: 'greets' })).greeting);
      print((await pool.predict(0, { model: 'greets', version: 'v2' })).greeting);
      print(await failure(pool.predict(0, { model: 'missing' })));
      await pool.unload('greets@v2');
      print(pool.list().map(({ name, version, state }) => [name, version, state]));
      await Promise.all([pool.close(), pool.close()]);`);
    expect(said).toEqual([
      'X',
      'hello one',
      'hello two',
      expect.stringContaining("SUP_MODEL_NOT_FOUND: no model 'missing'; there are: echo, greets"),
      [
        ['echo', 'v1', 'online'],
        ['greets', 'v1', 'online'],
        ['greets', 'v2', 'idle'],
      ],
    ]);
  });

  it('tells all that is wrong with its options, by their names there', async () => {
    const said = await told(`
      const problems = (options) => createModelPool(options).then(() => null, (error) => [error.code, ...error.data.problems]);
      print(await problems({ module: 'nosuch.mjs', worker: 2, timeout: 5, batching: { max_size: 'x' }, options: { f() {} } }));
      print(await problems({
        models: { a: { module: model('echo'), workers: { min: 4, max: 2 }, script: 'x' }, b: 3 },
        workers: 3, box: { limit: 2, limits: { memory: 'many' } }, default_model: 'c',
      }));
      print(await problems({ models: {} }));`);
    const keys = (problems: unknown) =>
      (problems as string[]).slice(1).map((line) => /^createModelPool: ([\w.]+): ./.exec(line)?.[1]);
    expect(said.map((problems) => (problems as string[])[0])).toEqual(Array(3).fill('SUP_CONFIG_INVALID'));
    expect(keys(said[0]).sort()).toEqual(['batching.max_size', 'module', 'options.f', 'timeout', 'worker'].sort());
    expect(keys(said[1]).sort()).toEqual(
      [
        'box.limit',
        'box.limits.memory',
        'default_model',
        'models.a.script',
        'models.a.workers',
        'models.b',
        'workers',
      ].sort(),
    );
    expect(keys(said[2])).toEqual(['models']);
  });
});

describe('the workers of a pool', () => {
  const OPEN = `const pool = await createModelPool({ module: model('echo'), workers: 2, log: null });
    const pids = pool.list()[0].workers.map((w) => w.pid);
    print(pids);`;

  /** The program, and the pids that it printed, once it has printed so many lines. */
  async function started(more: string, count = 1) {
    const child = program(`${OPEN} ${more}`);
    const lines: string[] = [];
    const reader = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> });
    reader.on('line', (line) => lines.push(line));
    while (lines.length < count) await once(reader, 'line');
    return { child, lines, pids: JSON.parse(lines[0] as string) as number[] };
  }

  const gone = (pids: number[]) => until(() => !pids.some(isRunning), 'the workers to end');

  it('end with a program that is killed, also those that are blocked', async () => {
    const { child, pids } = await started(
      `void failure(pool.predict('block'));
      while (pool.stats().models[0].in_flight === 0) await new Promise(setImmediate);
      setTimeout(() => print('blocked'), 300);`,
      2,
    );
    expect(pids.map(isRunning)).toEqual([true, true]);
    expect(pids.map((pid) => environmentOf(pid).includes('SUPERVISOR_HOME='))).toEqual([false, false]);
    child.kill('SIGKILL');
    await gone(pids);
  });

  it('end with a program that ends without a word', async () => {
    const { child, pids } = await started('process.exit(7);');
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    expect(code).toBe(7);
    await gone(pids);
  });

  it('are gone when `close` has resolved, and so may the program be', async () => {
    const said = await told(`${OPEN}
      const answer = pool.predict('sleep 300');
      await pool.close();
      print(await answer);`);
    expect((said[0] as number[]).map(isRunning)).toEqual([false, false]);
    expect(said[1]).toBe('SLEPT');
  });

  it('are replaced when they die, while predictions wait', async () => {
    const { child, lines, pids } = await started(
      `process.on('SIGUSR2', async () => {
        print(await Promise.all(Array.from({ length: 20 }, () => pool.predict('sleep 5'))).then((all) => all.length));
        await pool.close();
      });
      print('listens');`,
      2,
    );
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    child.kill('SIGUSR2');
    await once(child, 'close');
    expect(lines.at(-1)).toBe('20');
  });
});

it('a stream that is left ends, and frees its place', async () => {
  const journal = path.join(dir, 'journal');
  const said = await told(`
    await withPool({ module: model('streams'), log: null }, async (pool) => {
      const journal = ${JSON.stringify(journal)};
      for await (const chunk of pool.stream({ count: 1e6, every_ms: 5, journal })) if (chunk === 3) break;
      print(await pool.predict({ count: 2 }));
      const stream = pool.stream({ count: 5, hang_at: 1 });
      print(await stream.next());
      const next = stream.next();
      await stream.return();
      print(await failure(next));
      print(await failure(pool.stream('x', { bad: 1 }).next()));
    });`);
  expect(said).toEqual([
    [0, 1],
    { done: false, value: 0 },
    expect.stringContaining('SUP_CANCELLED'),
    expect.stringContaining("SUP_BAD_REQUEST: 'bad' is no option"),
  ]);
  expect(readFileSync(journal, 'utf8')).toMatch(/abort\nend \d+\n/);
});
