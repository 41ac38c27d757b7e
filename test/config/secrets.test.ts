import { describe, expect, it } from 'vitest';
import { optionWithoutSecrets, valueWithoutSecrets } from '../../src/config/secrets.js';

describe('an option', () => {
  it.each([
    ['api_key', 'k', '…'],
    ['dsn', 'postgres://u:hunter2@h/db', '…'],
    ['url', 'postgres://u:hunter2@h/db', 'postgres://…@h/db'],
    ['auth', { bearer: 'hunter2' }, '…'],
    ['nested', { deep: { password: 'p' }, plain: 1 }, { deep: { password: '…' }, plain: 1 }],
    ['urls', ['http://a@h', 'http://h/a@b'], ['http://…@h', 'http://h/a@b']],
    ['url', 'https://h/x?a=1&token=hunter2&b=2', 'https://h/x?a=1&token=…&b=2'],
    ['hdr', 'Bearer hunter2', 'Bearer …'],
    ['key', 'hunter2', '…'],
    ['connection', 'Server=x;Password=hunter2;Port=1', 'Server=x;Password=…;Port=1'],
    ['plain', 'text', 'text'],
    ['size', 5, 5],
  ])('%s: %j', (name, value, shown) => {
    expect(optionWithoutSecrets(name, value)).toEqual(shown);
  });
});

describe('a value of a key', () => {
  it.each([
    ['token', 'token'],
    [
      ['node', 'job.mjs', '--password=x', '--token', 'y', '--verbose', '--auth', '--port', '80'],
      ['node', 'job.mjs', '--password=…', '--token', '…', '--verbose', '--auth', '--port', '80'],
    ],
    [['redis://:p@h:6379'], ['redis://…@h:6379']],
    [null, null],
  ])('%j', (value, shown) => {
    expect(valueWithoutSecrets(value)).toEqual(shown);
  });
});
