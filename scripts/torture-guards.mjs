// SPDX-License-Identifier: MIT
// @ts-check
// Which steps of the protocol does the torture run miss when they are left out? Writes the table of docs/native/torture.md: the guards that its threads come to, one run
// each without it with few blocks that are looked up and reclaimed only (--hot) and, where that was not noticed, with all operations; with noise (see docs/native/outcomes.md). Needs
// a build, and a machine that does nothing else.
//   node scripts/torture-guards.mjs [--seconds 30] [--quick] [--only GUARD...]
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { repositoryRoot } from './workspaces.mjs';

const options = new Command('torture-guards')
  .option('--seconds <n>', 'for each run', Number, 30)
  .option('--quick', 'hot blocks only')
  .option('--only <guards...>', 'these guards, and the page is not written')
  .parse()
  .opts();
const page = join(repositoryRoot, 'docs/native/torture.md');
const torture = join(repositoryRoot, 'scripts/torture.mjs');
/** A thread that does nothing for so many seconds hangs. */
const HANGS = 20;

/** @param {string[]} args @param {number} seconds @returns {Promise<{ code: number | null, seconds: number, lines: string[] }>} */
async function run(args, seconds = options.seconds) {
  const started = performance.now();
  // Deaths are far apart: who lives for long comes to more.
  const all = [torture, '--seconds', String(seconds), '--hangs', String(HANGS), '--pause', '3000', ...args];
  const timeout = (seconds + 4 * HANGS) * 1000;
  const { code, stdout } = await promisify(execFile)(process.execPath, all, { timeout, killSignal: 'SIGKILL' }).then(
    (/** @type {{ stdout: string }} */ { stdout }) => ({ code: 0, stdout }),
    (error) => ({ code: typeof error.code === 'number' ? error.code : null, stdout: String(error.stdout) }),
  );
  return { code, seconds: (performance.now() - started) / 1000, lines: stdout.split('\n').filter(Boolean) };
}

/** The guards that a sound run comes to. */
async function guards() {
  const { code, lines } = await run(['--asked', '--noise'], 15);
  if (code !== 0) throw new Error(`nothing is left out, and: ${lines.join('\n')}`);
  const line = lines.find((each) => each.startsWith('guards: ')) ?? '';
  return line.replace('guards: ', '').split(' ').sort();
}

/** What a run without a guard showed, in a line. @param {string} guard @param {boolean} hot */
async function attempt(guard, hot) {
  const { code, seconds, lines } = await run(['--noise', '--without', guard, ...(hot ? ['--hot'] : [])]);
  console.error(`${guard}${hot ? ', hot' : ''}: ${code}\n  ${lines.slice(1, 3).join('\n  ')}`);
  // The first line counts what was done, the next one says what is wrong, the last one how to see it again.
  const [counts = '', first = 'the main thread does not come back'] = lines;
  const [, operations = '?'] = /([\d,]+) operations/.exec(counts) ?? [];
  if (code === 0) return { noticed: false, text: `${operations} operations` };
  const what = first.replace(/\b\d{3,}\b/g, 'N').replaceAll('|', '\\|');
  return { noticed: true, text: `${seconds.toFixed(0)} s, ${operations} operations: ${what.slice(0, 160)}` };
}

/** The scenarios whose programs, on threads, notice that a guard is left out: the table of docs/native/outcomes.md. @param {string} guard */
function noticedIn(guard) {
  const rows = readFileSync(join(repositoryRoot, 'docs/native/outcomes.md'), 'utf8').split('\n');
  const cells = rows.filter((row) => row.startsWith('| ')).map((row) => row.split('|').map((cell) => cell.trim()));
  return cells
    .filter(([, , without, ...found]) => without === guard && found.some((cell) => cell.startsWith('after ')))
    .map(([, scenario]) => `\`${scenario}\``)
    .join(', ');
}

/** @type {string[]} */
const rows = [];
let noticed = 0;
for (const guard of options.only ?? (await guards())) {
  const hot = await attempt(guard, true);
  const all = hot.noticed || options.quick ? null : await attempt(guard, false);
  if (hot.noticed || all?.noticed) noticed++;
  const cells = [guard, ...[hot, all].map((run) => (run === null ? '' : `${run.noticed ? '' : 'not in '}${run.text}`))];
  cells.push(noticedIn(guard));
  rows.push(`| ${cells.join(' | ')} |`);
}
const [processor] = cpus();
const generated = `
Node ${process.versions.node}, ${cpus().length} × ${processor?.model.trim() || 'an unnamed processor'}, ${options.seconds} s for each run; on average ${loadavg()[1]?.toFixed(0)} threads wanted a processor.
${noticed} of ${rows.length} are noticed.

| without | hot blocks | all operations | noticed by lockless outcomes, in |
|---|---|---|---|
${rows.join('\n')}
`;
if (options.only !== undefined) console.log(generated);
else {
  const marked = /(<!-- generated: node scripts\/torture-guards.mjs -->\n)[\s\S]*?(<!-- end -->)/;
  const text = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    text.replace(marked, (_, begin, end) => `${begin}${generated}\n${end}`),
  );
}
