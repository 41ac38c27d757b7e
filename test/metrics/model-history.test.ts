import { expect, it } from 'vitest';
import { ModelHistory } from '../../src/metrics/model-history.js';
import { modelStatus } from '../support/model-reports.js';

it('adds up what all versions of all models counted', () => {
  const history = new ModelHistory(0);
  const at = (requests: number, loads: number) => [
    modelStatus('v1', { inputs: { requests, succeeded: requests, compute_ms: requests * 5 }, loads: { loads } }),
    modelStatus('v2', { inputs: { requests: 2 * requests, model_errors: 1 }, loads: { total_seconds: loads / 2 } }),
  ];
  history.tick(at(10, 1), 1000);
  history.tick(at(14, 3), 2000);
  expect(history.over(1, 2000)).toMatchObject({
    window_seconds: 1,
    observed_seconds: 1,
    requests: 12,
    succeeded: 4,
    model_errors: 0,
    compute_ms: 20,
    loads: 2,
    total_seconds: 1,
  });
  expect(history.over(3600, 2500)).toMatchObject({ window_seconds: 3600, observed_seconds: 2.5, requests: 42 });
});

it('counts each time that the wanted size of a model went up or down', () => {
  const history = new ModelHistory(0);
  const targets: [v1: number, v2: number][] = [
    [1, 0],
    [3, 0],
    [5, 1],
    [1, 1],
    [1, 0],
  ];
  for (const [second, [v1, v2]] of targets.entries())
    history.tick(
      [modelStatus('v1', { instances: { target: v1 } }), modelStatus('v2', { instances: { target: v2 } })],
      (second + 1) * 1000,
    );
  expect(history.over(60, 5000)).toMatchObject({ scale_ups: 3, scale_downs: 2 });
  expect(history.over(2, 5000)).toMatchObject({ scale_ups: 0, scale_downs: 2 });
});

it('counts a model that is seen first when it is loaded already', () => {
  const history = new ModelHistory(0);
  history.tick(
    [modelStatus('v1', { instances: { target: 1, min: 0 } }), modelStatus('v2', { instances: { target: 0 } })],
    1000,
  );
  expect(history.over(60, 1000)).toMatchObject({ scale_ups: 1, scale_downs: 0 });
});
