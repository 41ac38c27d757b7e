import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PROFILE_NAMES, type ProfileName, starterConfig } from '../../src/config/init.js';
import { loadConfig } from '../../src/config/load.js';
import type { AppConfig, Config } from '../../src/config/types.js';
import { folderWith, load } from './support.js';

/** Writes the starter of a folder into it, loads it, and answers with its apps. */
function starterApps(
  files: Readonly<Record<string, string>>,
  profile: ProfileName | null = null,
): { dir: string; config: Config; apps: AppConfig[]; text: string } {
  const dir = folderWith(files);
  const text = starterConfig(dir, profile);
  const file = path.join(dir, 'supervisor.yaml');
  writeFileSync(file, text);
  const { config, warnings } = loadConfig(file, { env: {} });
  expect(warnings).toEqual([]);
  return { dir, config, apps: config.apps, text };
}

describe('starterConfig', () => {
  it.each<[what: string, files: Record<string, string>, script: string]>([
    [
      'what npm start runs',
      {
        'package.json': '{"scripts":{"start":"node lib/main.mjs"},"main":"index.js"}',
        'lib/main.mjs': '',
        'index.js': '',
        'server.js': '',
      },
      'lib/main.mjs',
    ],
    ['server.js', { 'server.js': '', 'app.js': '', 'index.js': '' }, 'server.js'],
    ['app.mjs', { 'app.mjs': '', 'index.js': '' }, 'app.mjs'],
    ['main', { 'package.json': '{"main":"./lib/x.js"}', 'lib/x.js': '', 'index.js': '' }, './lib/x.js'],
    ['index.js', { 'package.json': '{}', 'index.js': '' }, 'index.js'],
    ['a package.json that is none', { 'package.json': '{', 'server.js': '' }, 'server.js'],
    ['a main that is not there', { 'package.json': '{"main":"dist/x.js"}', 'index.js': '' }, 'index.js'],
    ['a name that YAML would read otherwise', { 'package.json': '{"main":"a: b #.js"}', 'a: b #.js': '' }, 'a: b #.js'],
  ])('makes a web app of %s', (_what, files, script) => {
    const { dir, apps } = starterApps(files);
    expect(apps).toMatchObject([{ kind: 'http', name: 'web', runs: { script: path.join(dir, script) }, port: 8080 }]);
  });

  it('leaves any other start script to npm', () => {
    const { apps } = starterApps({ 'package.json': '{"scripts":{"start":"next start -p 3000"}}', 'server.js': '' });
    expect(apps).toMatchObject([{ kind: 'command', command: ['npm', 'start'] }]);
  });

  it('shows examples in an empty folder', () => {
    const { apps, text } = starterApps({});
    expect(apps).toEqual([]);
    expect(text).toContain('# web:');
  });

  it.each([null, ...PROFILE_NAMES])('has examples that load once they are taken over (profile %s)', (profile) => {
    const { text } = starterApps({}, profile);
    const taken = text.replace(/apps: \{\}.*/, 'apps:').replace(/^ {2}# (\s*(?:\w+:).*)$/gm, '  $1');
    const { apps } = parse(taken) as { apps: Record<string, unknown> };
    expect(Object.keys(apps)).toEqual(['web', 'intents', 'ticker']);
    const dir = folderWith({ 'supervisor.yaml': taken, 'server.mjs': '', 'models/intents.mjs': '', 'ticker.py': '' });
    expect(loadConfig(path.join(dir, 'supervisor.yaml'), { env: {} }).config.apps.map((app) => app.kind)).toEqual([
      'http',
      'model',
      'command',
    ]);
  });
});

describe('the profile t3-large', () => {
  const RECYCLE = {
    maxUsers: 50,
    userKey: { header: 'x-user-id' },
    maxRequests: 1000,
    jitter: 0.1,
    maxAgeMs: 14_400_000,
  };

  it('has two workers, fresh ones often, and 2 of 8 GB for the system', () => {
    const { config } = starterApps({ 'server.js': '' }, 't3-large');
    expect(config).toMatchObject({
      limits: { memoryBytes: 6 * 1024 ** 3 },
      apps: [{ kind: 'http', workers: { min: 2, max: 2 }, recycle: RECYCLE }],
    });
    const { pressure } = starterApps({}).config;
    expect(config.pressure).toEqual(pressure);
    const [, written] = /^# (pressure: .*)$/m.exec(starterApps({}, 't3-large').text) ?? [];
    expect(load(`apps: {}\n${written}`).config.pressure).toEqual(pressure);
  });

  it('leaves out what a command cannot have', () => {
    const { apps } = starterApps({ 'package.json': '{"scripts":{"start":"next start"}}' }, 't3-large');
    expect(apps).toMatchObject([
      { kind: 'command', workers: { min: 1, max: 1 }, recycle: { maxAgeMs: 14_400_000, maxRequests: null } },
    ]);
  });

  it('is in the examples of an empty folder too', () => {
    const { text } = starterApps({}, 't3-large');
    const taken = text.replace(/apps: \{\}.*/, 'apps:').replace(/^ {2}# (\s*(?:\w+:).*)$/gm, '  $1');
    const { config } = load(taken, {}, { 'server.mjs': '', 'models/intents.mjs': '' });
    expect(config.apps[0]).toMatchObject({ name: 'web', workers: { min: 2, max: 2 }, recycle: RECYCLE });
    expect(config.apps[1]).toMatchObject({ name: 'intents', recycle: RECYCLE });
  });
});
