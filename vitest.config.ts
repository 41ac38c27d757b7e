import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes on two cores: more files at once only make each of them slower.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine takes its time to start a process.
    expect: { poll: { timeout: 20_000 } },
    globalSetup: ['test/support/no-orphans.ts'],
  },
});
