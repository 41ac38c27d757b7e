// `npm test`: builds if there is no build, runs vitest, and closes with one line made from the runner's own report.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const report = `${root}/.test-report.json`;
const run = (file, args) => spawnSync(process.execPath, [`${root}/${file}`, ...args], { cwd: root, stdio: 'inherit' });

if (!existsSync(`${root}/dist/src/cli/main.js`)) {
  const built = run('scripts/build.mjs', []);
  if (built.status !== 0) process.exit(built.status ?? 1);
}
rmSync(report, { force: true });
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { status } = run('node_modules/vitest/vitest.mjs', ['run', ...reporters, ...process.argv.slice(2)]);
if (!existsSync(report)) {
  console.error('vitest wrote no report');
  process.exit(status || 1);
}
const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
for (const file of testResults)
  for (const test of file.assertionResults)
    if (test.status === 'skipped' || test.status === 'pending') console.log(`SKIPPED ${test.fullName}`);
rmSync(report, { force: true });
// A file that breaks before its tests are collected counts no failed test, but it is a failure.
const brokenFiles = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
console.log(`${numPassedTests} passed, ${numFailedTests + brokenFiles} failed, ${numPendingTests} skipped`);
process.exit(status || (numFailedTests + brokenFiles > 0 ? 1 : 0));
