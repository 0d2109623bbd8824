// SPDX-License-Identifier: MIT
// @ts-check
// Writes the tables of docs/native/outcomes.md from runs on this machine. Needs a build, and a machine that does nothing else.
//   node scripts/outcomes.mjs [--seconds N] [--instances N] [--patience N] [--only litmus|scenarios|guards] [--kernel FOLDER]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { parseLitmus } from '@lockless/litmus';
import {
  calibrate,
  calibrationLine,
  guardsOf,
  kindCounts,
  NativeLitmus,
  NotNative,
  nativeScenarios,
  runScenario,
} from '@lockless/outcomes';
import { Command } from 'commander';
import { repositoryRoot } from './workspaces.mjs';

const options = new Command('outcomes')
  .option('--seconds <n>', 'for each test', Number, 0.5)
  .option('--instances <n>', 'for each scenario without noise, however long it takes', Number)
  .option('--patience <n>', 'for each guard that is left out, without noise and with it', Number, 20)
  .option('--kernel <folder>', "the kernel's tools/memory-model/litmus-tests")
  .option('--only <part>', 'litmus, scenarios or guards')
  .parse()
  .opts();
const { seconds } = options;
const page = join(repositoryRoot, 'docs/native/outcomes.md');

const counted = (/** @type {number} */ n) => n.toLocaleString('en-US');
const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);

/** @typedef {import('@lockless/outcomes').NativeOutcome} NativeOutcome */

/** Runs all tests of a folder with one table. @param {NativeLitmus} native @param {string} folder @param {'fast' | 'strict' | 'plain'} table */
async function runFolder(native, folder, table) {
  /** @type {Map<string, NativeOutcome>} */
  const outcomes = new Map();
  let skipped = 0;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.litmus'));
  for (const file of files.sort()) {
    const path = join(folder, file);
    try {
      outcomes.set(
        basename(file, '.litmus'),
        await native.run(parseLitmus(readFileSync(path, 'utf8'), path), { table, seconds }),
      );
    } catch (error) {
      if (!(error instanceof NotNative)) throw error;
      skipped++;
    }
  }
  return { outcomes, skipped };
}

/** @param {string} of @param {string} table @param {Map<string, NativeOutcome>} outcomes @returns {string} */
function summaryRow(of, table, outcomes) {
  const all = [...outcomes.values()];
  const { sc, surprising, unseen } = kindCounts(all.flatMap(({ rows }) => rows));
  const violated = all.filter(({ holds }) => !holds).length;
  const numbers = [
    all.length,
    sum(all.map(({ instances }) => instances)),
    sc + surprising + unseen,
    sc + surprising,
    surprising,
  ];
  return `| ${[of, table, ...numbers.map(counted), violated].join(' | ')} |`;
}

/** What the machine does when nobody forbids it, and what the fast table lets it do. @param {Map<string, NativeOutcome>} fast @param {Map<string, NativeOutcome>} plain */
function shownRows(fast, plain) {
  return [...plain].flatMap(([name, { rows, instances }]) => {
    const other = fast.get(name);
    return rows.flatMap(({ state, count, kind }) => {
      const same = other?.rows.find((row) => row.state === state);
      if (kind !== 'forbidden' && kind !== 'surprising' && same?.kind !== 'surprising') return [];
      const cells = [
        `${counted(count)} of ${counted(instances)}`,
        `${counted(same?.count ?? 0)} of ${counted(other?.instances ?? 0)}`,
      ];
      return [`| ${[name, `\`${state}\``, kind === 'forbidden' ? 'forbidden' : 'allowed', ...cells].join(' | ')} |`];
    });
  });
}

async function litmusPart() {
  const native = new NativeLitmus();
  const calibration = await calibrate(native, { seconds: 60 });
  const folders = [['our corpus', join(repositoryRoot, 'packages/litmus/corpus')]];
  if (options.kernel !== undefined) folders.push(["the kernel's", options.kernel]);
  /** @type {string[]} */
  const rows = [];
  /** @type {string[]} */
  const shown = [];
  for (const [of = '', folder = ''] of folders) {
    /** @type {Record<string, Map<string, NativeOutcome>>} */
    const byTable = {};
    for (const table of /** @type {const} */ (['fast', 'strict', 'plain'])) {
      console.error(`${of}, ${table} table`);
      const { outcomes, skipped } = await runFolder(native, folder, table);
      byTable[table] = outcomes;
      rows.push(summaryRow(`${of}${skipped > 0 ? ` (${skipped} not native)` : ''}`, table, outcomes));
    }
    shown.push(...shownRows(byTable.fast ?? new Map(), byTable.plain ?? new Map()));
  }
  await native.end();
  return `
${machine()}, ${seconds} s each; ${busy()}; ${calibrationLine(calibration)}.

| tests | table | run | instances | outcomes allowed | of those seen | not SC | tests with a forbidden one |
|---|---|--:|--:|--:|--:|--:|--:|
${rows.join('\n')}

Outcomes that are not sequentially consistent and were seen; *forbidden* are those that this machine shows as soon as accesses are plain:

| test | outcome | LKMM | plain | fast |
|---|---|---|--:|--:|
${shown.join('\n')}
`;
}

/** Instances until a claim was broken, or how many there were without. @param {string} scenario @param {string} guard @param {boolean} noise */
async function lookFor(scenario, guard, noise) {
  const run = { seconds: options.patience, without: [guard], noise, untilViolated: true };
  const { outcomes, instances } = await runScenario(scenario, run);
  const broken = outcomes.filter(({ violated }) => violated).sort((a, b) => (a.found ?? 0) - (b.found ?? 0));
  const claim = broken[0]?.outcome.replace(/^violated: /, '') ?? null;
  const text = claim === null ? `not in ${counted(instances)}` : `after ${counted(broken[0]?.found ?? instances)}`;
  return { claim, text };
}

/** @param {string} scenario */
async function sensitivityRows(scenario) {
  const rows = [];
  for (const guard of guardsOf(scenario)) {
    const bare = await lookFor(scenario, guard, false);
    const noisy = await lookFor(scenario, guard, true);
    rows.push(`| ${[scenario, guard, bare.text, noisy.text, noisy.claim ?? bare.claim ?? ''].join(' | ')} |`);
  }
  for (const guard of guardsOf(scenario, false)) rows.push(`| ${scenario} | ${guard} | x86 does not need it | | |`);
  return rows;
}

async function scenarioPart() {
  /** @type {string[]} */
  const rows = [];
  const { instances: wanted } = options;
  const length = wanted === undefined ? { seconds } : { seconds: 3600, instances: wanted };
  for (const scenario of nativeScenarios()) {
    console.error(scenario);
    const { outcomes, instances, holds, met } = await runScenario(scenario, length);
    const noisy = await runScenario(scenario, { seconds, noise: true });
    const seen = outcomes.map(({ outcome, count }) => {
      const other = noisy.outcomes.find((each) => each.outcome === outcome)?.count ?? 0;
      return `${outcome}: ${counted(count)} (${counted(other)})`;
    });
    const cells = [counted(instances), `${(100 * met).toFixed(0)} %`, counted(noisy.instances), seen.join('; ')];
    rows.push(`| ${[scenario, ...cells, holds && noisy.holds ? '0' : 'VIOLATED'].join(' | ')} |`);
  }
  const long = wanted === undefined ? `${seconds} s each` : `${counted(wanted)} instances each`;
  return `
${machine()}, ${long} without noise and ${seconds} s each with it; ${busy()}.

| scenario | instances | met | with noise | outcomes (with noise) | claims broken |
|---|--:|--:|--:|---|--:|
${rows.join('\n')}
`;
}

async function guardPart() {
  /** @type {string[]} */
  const rows = [];
  for (const scenario of nativeScenarios()) {
    console.error(scenario);
    rows.push(...(await sensitivityRows(scenario)));
  }
  const needed = rows.filter((row) => !row.includes('x86 does not'));
  const missed = needed.filter((row) => row.split(' | ').filter((cell) => cell.startsWith('not in')).length === 2);
  return `
${machine()}, ${options.patience} s each at most; ${busy()}. ${needed.length - missed.length} of ${needed.length} that the checker says are needed under total
store order were noticed.

| scenario | without | as it is | with noise | which claim |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

/** What else the machine did. */
const busy = () => `on average ${loadavg()[1]?.toFixed(0)} threads wanted a processor`;

function machine() {
  const [processor] = cpus();
  return `Node ${process.versions.node}, ${cpus().length} × ${processor?.model.trim() || 'an unnamed processor'}`;
}

/** @type {Record<string, () => Promise<string>>} */
const parts = { litmus: litmusPart, scenarios: scenarioPart, guards: guardPart };
for (const [name, make] of Object.entries(parts)) {
  if (options.only !== undefined && options.only !== name) continue;
  const generated = await make();
  const text = readFileSync(page, 'utf8');
  const marked = new RegExp(`(<!-- generated: node scripts/outcomes.mjs --only ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
  writeFileSync(
    page,
    text.replace(marked, (_, begin, end) => `${begin}${generated}\n${end}`),
  );
}
