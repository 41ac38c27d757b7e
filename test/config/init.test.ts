import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { starterConfig } from '../../src/config/init.js';
import { loadConfig } from '../../src/config/load.js';
import type { AppConfig } from '../../src/config/types.js';
import { folderWith } from './support.js';

/** Writes the starter of a folder into it, loads it, and answers with its apps. */
function starterApps(files: Readonly<Record<string, string>>): { dir: string; apps: AppConfig[]; text: string } {
  const dir = folderWith(files);
  const text = starterConfig(dir);
  const file = path.join(dir, 'supervisor.yaml');
  writeFileSync(file, text);
  const { config, warnings } = loadConfig(file, { env: {} });
  expect(warnings).toEqual([]);
  return { dir, apps: config.apps, text };
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

  it('has examples that load once they are taken over', () => {
    const { text } = starterApps({});
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
