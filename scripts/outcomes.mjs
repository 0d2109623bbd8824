// SPDX-License-Identifier: MIT
// @ts-check
// Writes the tables of docs/native/outcomes.md from runs on this machine. Needs a build, and a machine that does nothing else.
//   node scripts/outcomes.mjs [--seconds N] [--kernel FOLDER]
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { repositoryRoot } from './workspaces.mjs';

const options = new Command('outcomes')
  .option('--seconds <n>', 'for each test', Number, 2)
  .option('--kernel <folder>', "the kernel's tools/memory-model/litmus-tests")
  .parse()
  .opts();
const page = join(repositoryRoot, 'docs/native/outcomes.md');
const program = join(repositoryRoot, 'apps/lockless/dist/cli.js');

/** @param {string[]} args @returns {any} */
function json(...args) {
  console.error(`lockless ${args.join(' ')}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status === null || status > 4) throw new Error(stderr);
  return JSON.parse(stdout);
}

const counted = (/** @type {number} */ n) => n.toLocaleString('en-US');
const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);
const seconds = ['--seconds', String(options.seconds)];

/** @param {string} folder @param {string} of @returns {{ rows: string[], shown: string[], stats: string }} */
function litmus(folder, of) {
  /** @type {string[]} */
  const rows = [];
  /** @type {Map<string, Map<string, any>>} */
  const byTable = new Map();
  let stats = '';
  for (const table of ['fast', 'strict', 'plain']) {
    const { calibration, tests } = json('litmus', '--native', folder, '--table', table, ...seconds);
    const run = tests.filter((/** @type {any} */ test) => test.outcomes !== undefined);
    byTable.set(table, new Map(run.map((/** @type {any} */ test) => [basename(test.file, '.litmus'), test])));
    const kinds = (/** @type {string} */ kind) =>
      sum(run.map((/** @type {any} */ test) => test.outcomes.filter((/** @type {any} */ o) => o.kind === kind).length));
    const violated = run.filter((/** @type {any} */ test) => test.verdict === 'violated').length;
    rows.push(
      `| ${of} | ${table} | ${run.length} | ${counted(sum(run.map((/** @type {any} */ t) => t.instances)))} | ${kinds('sc') + kinds('surprising') + kinds('unseen')} | ${kinds('sc') + kinds('surprising')} | ${kinds('surprising')} | ${violated} |`,
    );
    stats = `Store buffering with plain accesses: ${counted(calibration.reordered)} of ${counted(calibration.instances)} instances.`;
  }
  /** @type {string[]} */
  const shown = [];
  for (const [name, plain] of byTable.get('plain') ?? []) {
    const fast = byTable.get('fast')?.get(name);
    for (const { state, count, kind } of plain.outcomes) {
      const there = fast?.outcomes.find((/** @type {any} */ each) => each.state === state)?.count ?? 0;
      const surprising = fast?.outcomes.some((/** @type {any} */ o) => o.state === state && o.kind === 'surprising');
      if (kind === 'forbidden' || surprising)
        shown.push(
          `| ${name} | \`${state}\` | ${kind === 'forbidden' ? 'forbidden' : 'allowed'} | ${counted(count)} of ${counted(plain.instances)} | ${counted(there)} of ${counted(fast?.instances ?? 0)} |`,
        );
    }
  }
  return { rows, shown, stats };
}

function scenarios() {
  /** @type {string[]} */
  const rows = [];
  /** @type {string[]} */
  const broken = [];
  for (const { scenario, guards } of json('outcomes', '--list')) {
    const [{ outcomes, instances, holds }] = json('outcomes', scenario, ...seconds);
    const cells = outcomes.map((/** @type {any} */ { outcome, count }) => `${outcome}: ${counted(count)}`);
    rows.push(`| ${scenario} | ${counted(instances)} | ${cells.join('; ')} | ${holds ? '0' : 'VIOLATED'} |`);
    for (const guard of guards) {
      const [without] = json('outcomes', scenario, '--without', guard, ...seconds);
      const seen = without.outcomes.filter((/** @type {any} */ each) => each.violated);
      const what = seen.map((/** @type {any} */ e) => `${e.outcome.replace(/^violated: /, '')}: ${counted(e.count)}`);
      broken.push(
        `| ${scenario} | ${guard} | ${counted(without.instances)} | ${what.length === 0 ? 'not seen' : what.join('; ')} |`,
      );
    }
  }
  return { rows, broken };
}

const tables = [litmus('packages/litmus/corpus', 'our corpus')];
if (options.kernel !== undefined) tables.push(litmus(options.kernel, "the kernel's"));
const { rows, broken } = scenarios();
const [processor] = cpus();
const generated = `
Node ${process.versions.node}, ${cpus().length} × ${processor?.model.trim() ?? 'unknown'}, ${options.seconds} s each. ${tables[0]?.stats}

| tests | table | run | instances | outcomes allowed | of those seen | not SC | tests with a forbidden one |
|---|---|--:|--:|--:|--:|--:|--:|
${tables.flatMap((each) => each.rows).join('\n')}

Outcomes that are not sequentially consistent and were seen by the fast table, and outcomes that LKMM forbids and this machine shows as soon as accesses are plain:

| test | outcome | LKMM | plain | fast |
|---|---|---|--:|--:|
${tables.flatMap((each) => each.shown).join('\n')}

### Programs of scenarios

| scenario | instances | outcomes | claims broken |
|---|--:|---|--:|
${rows.join('\n')}

With a guard left out that the checker says is needed under total store order:

| scenario | without | instances | what was seen |
|---|---|--:|---|
${broken.join('\n')}
`;
const text = readFileSync(page, 'utf8');
writeFileSync(page, text.replace(/(<!-- generated: [^>]* -->\n)[\s\S]*(<!-- end -->)/, `$1${generated}\n$2`));
