// SPDX-License-Identifier: MIT
// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMain, readJson, repositoryRoot } from './workspaces.mjs';

/**
 * `npm run check`: everything that CI does once the dependencies are installed. Every step runs, also after a failure; the last line counts
 * the tests, and each other step as one: `N passed, N failed`, and `N skipped` when there are.
 *
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @typedef {{ name: string, run: string[], minutes: number }} Step
 */

/** Colours are for people: a log file gets none. */
const terminal = process.stdout.isTTY === true;
const colors = `--colors=${terminal ? 'force' : 'off'}`;

/** @type {Step[]} */
const steps = [
  { name: 'build', run: ['npm', 'run', '--silent', 'build'], minutes: 3 },
  { name: 'format and lint', run: ['npx', 'biome', 'ci', '--diagnostic-level=error', colors], minutes: 1 },
  { name: 'types of the tests and scripts', run: ['npm', 'run', '--silent', 'typecheck'], minutes: 2 },
  { name: 'SPDX lines and license texts', run: ['npm', 'run', '--silent', 'spdx'], minutes: 1 },
  { name: 'length of files', run: ['npm', 'run', '--silent', 'length'], minutes: 1 },
  { name: 'dependency direction', run: ['npm', 'run', '--silent', 'deps'], minutes: 1 },
  { name: 'manifests', run: ['npm', 'run', '--silent', 'manifests'], minutes: 1 },
  { name: 'unused code', run: ['npm', 'run', '--silent', 'knip'], minutes: 1 },
  { name: 'every claim of every scenario', run: ['npm', 'run', '--silent', 'scenarios'], minutes: 6 },
  {
    name: 'torture of the file cache',
    run: ['npm', 'run', '--silent', 'torture', '--', '--seconds', '60'],
    minutes: 4,
  },
  { name: 'publishable packages', run: ['npm', 'run', '--silent', 'publishable'], minutes: 2 },
];

const testMinutes = 20;
/** CI runs the long tests too. */
process.env.LOCKLESS_LONG = '1';

/**
 * Runs a step with its output on the terminal, and ends it and its children when its time is over.
 * @param {Step} step @returns {Promise<boolean>} whether it succeeded
 */
function succeeds({ name, run, minutes }) {
  console.log(`\n--- ${name}: ${run.join(' ')}`);
  const [command = '', ...args] = run;
  const env = terminal ? process.env : { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
  return new Promise((settle) => {
    const child = spawn(command, args, {
      cwd: repositoryRoot,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    const timer = setTimeout(() => {
      console.log(`${name}: stopped after ${minutes} minutes`);
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, minutes * 60_000);
    const interrupt = () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      process.exit(130);
    };
    process.once('SIGINT', interrupt);
    const end = (/** @type {boolean} */ good) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt);
      settle(good);
    };
    child.on('error', (error) => {
      console.log(`${name}: ${error.message}`);
      end(false);
    });
    child.on('exit', (code) => end(code === 0));
  });
}

/**
 * Counts a report of vitest's json reporter. A file that failed outside its tests counts as one failure, as does a run that failed
 * without a failed test (an unhandled error).
 * @param {any} report undefined when vitest wrote none @param {boolean} succeeded @returns {Counts}
 */
export function countTests(report, succeeded) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const brokenFiles = report.testResults.filter(
    (/** @type {any} */ file) =>
      file.status === 'failed' && !file.assertionResults.some((/** @type {any} */ test) => test.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && !succeeded ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** @param {Counts} counts @returns {string} */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Runs the tests as a user does, by `npm test`, and the long ones with them. @returns {Promise<Counts>} */
async function test() {
  const folder = mkdtempSync(join(tmpdir(), 'lockless-test-'));
  const file = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const succeeded = await succeeds({ name: 'tests', run: ['npm', 'test', '--', ...reporters], minutes: testMinutes });
  const counts = countTests(existsSync(file) ? readJson(file) : undefined, succeeded);
  rmSync(folder, { recursive: true });
  return counts;
}

/** What git sees changed, or undefined without git. */
function workingTree() {
  const { status, stdout } = spawnSync('git', ['status', '--porcelain'], { cwd: repositoryRoot, encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

async function check() {
  const before = workingTree();
  /** @type {[string, Counts][]} */
  const results = [];
  const record = (/** @type {string} */ name, /** @type {boolean} */ good) =>
    results.push([name, { passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: 0 }]);
  for (const step of steps) record(step.name, await succeeds(step));
  results.push(['tests', await test()]);
  if (process.env.CI) {
    // Nobody else works in CI's clone: what changed there is a generated file that was not committed.
    const after = workingTree();
    if (after !== before) console.log(`\nThe build or a test changed the working tree:\n${after}`);
    record('working tree unchanged', after === before);
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  console.log('');
  for (const [name, counts] of results) {
    console.log(
      `${counts.failed === 0 ? 'ok    ' : 'FAILED'}  ${name}${name === 'tests' ? `: ${summaryLine(counts)}` : ''}`,
    );
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
  console.log(summaryLine(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
}

if (isMain(import.meta.url)) await check();
