import { expect, it } from 'vitest';
import type { ModelAppConfig } from '../../src/config/schema.js';
import { renamed, requiredApps } from '../../src/master/app-names.js';
import { fakeConfig } from '../support/fake-pool.js';

const app = {
  ...fakeConfig({ name: 'ranker', dependsOn: [{ app: 'web', condition: 'ready' }] }),
  kind: 'model',
  unload: { requires: ['tokenizer', 'encoder@v2', 'encoder@v1', 'elsewhere'] },
} as unknown as ModelAppConfig;

it('gives an app, what it depends on and what it requires the names that they go by here', () => {
  const names = new Map([
    ['ranker', 'other.ranker'],
    ['web', 'other.web'],
    ['tokenizer', 'tokenizer'],
    ['encoder', 'other.encoder'],
  ]);
  const { name, dependsOn, unload } = renamed(app, names) as ModelAppConfig;
  expect([name, dependsOn[0]?.app, unload.requires]).toEqual([
    'other.ranker',
    'other.web',
    ['tokenizer', 'other.encoder@v2', 'other.encoder@v1', 'elsewhere'],
  ]);
});

it('knows the apps whose models an app requires, each once', () => {
  expect(requiredApps(app)).toEqual(['tokenizer', 'encoder', 'elsewhere']);
  expect(requiredApps(fakeConfig())).toEqual([]);
});
