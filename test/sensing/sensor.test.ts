import { expect, it } from 'vitest';
import { Sensor } from '../../src/sensing/sensor.js';

function sensor(looks: (number | null | Error)[]) {
  const warnings: string[] = [];
  const sensed = new Sensor(
    'the weather',
    () => {
      const look = looks.shift();
      if (look instanceof Error) throw look;
      return look ?? null;
    },
    (text) => warnings.push(text),
  );
  return { warnings, read: () => sensed.read() };
}

it('warns once while it fails, and once more only after it has worked again', () => {
  const fog = () => new Error('fog');
  const { read, warnings } = sensor([1, fog(), fog(), fog(), 2, fog(), fog()]);
  expect(Array.from({ length: 7 }, read)).toEqual([1, null, null, null, 2, null, null]);
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain('the weather');
  expect(warnings[0]).toContain('fog');
});

it('says nothing about what the machine does not have', () => {
  const { read, warnings } = sensor([null, 1, null]);
  expect([read(), read(), read()]).toEqual([null, 1, null]);
  expect(warnings).toEqual([]);
});

it('does not take a missing thing for one that works again', () => {
  const { read, warnings } = sensor([new Error('fog'), null, new Error('fog')]);
  for (let i = 0; i < 3; i++) read();
  expect(warnings).toHaveLength(1);
});
