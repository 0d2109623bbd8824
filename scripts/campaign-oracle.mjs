// SPDX-License-Identifier: MIT
// Many generated scripts on the simulated memory manager and on the kernel that runs (root, gcc). In batches, each with a seed of its own; results are
// appended one JSON line each as they come, so Ctrl-C loses nothing and a second start goes on where the first stopped. A batch ends at
// its first difference, made small; the campaign goes on with the next. Exit code 1 when there was one.
//   npm run campaign:oracle -- --scripts 10000 --seed 1 --output oracle.jsonl
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { formatDifference, kernelHasHugePages, kernelSide, searchDifference, simulatedSide } from '@lockless/oracle';
import { Command } from 'commander';

const options = new Command('campaign:oracle')
  .option('--scripts <n>', 'scripts to generate', Number, 10_000)
  .option('--batch <n>', 'scripts for each seed', Number, 100)
  .option('--seed <n>', 'the first seed', Number, 1)
  .option('--longest <n>', 'steps of the longest script', Number)
  .option('--huge <percent>', 'scripts with huge pages; they take long', Number, kernelHasHugePages() ? 5 : 0)
  .option('--output <file>', 'results as JSON lines; appended', 'oracle.jsonl')
  .parse()
  .opts();

const lines = existsSync(options.output) ? readFileSync(options.output, 'utf8').split('\n').filter(Boolean) : [];
const results = new Map(
  lines.map((line) => JSON.parse(line)).map(({ configuration, result }) => [JSON.stringify(configuration), result]),
);
const kernel = release();
const batches = Array.from({ length: Math.ceil(options.scripts / options.batch) }, (_, i) => ({
  kernel,
  seed: options.seed + i,
  count: Math.min(options.batch, options.scripts - i * options.batch),
  longest: options.longest,
  huge: options.huge,
})).map((configuration) => ({ configuration, key: JSON.stringify(configuration) }));

const total = { scripts: 0, steps: 0, deliberate: {}, differences: [] };
function add({ scripts, steps, deliberate, difference }) {
  total.scripts += scripts;
  total.steps += steps;
  for (const [name, times] of Object.entries(deliberate))
    total.deliberate[name] = (total.deliberate[name] ?? 0) + times;
  if (difference !== null) total.differences.push(difference);
}

const abort = new AbortController();
process.once('SIGINT', () => abort.abort());
const sides = { simulated: simulatedSide(), real: kernelSide() };
const started = performance.now();
let performed = 0;

function progress() {
  if (!process.stderr.isTTY) return;
  const each = (performance.now() - started) / 1000 / Math.max(1, performed);
  const left = Math.ceil(each * (options.scripts - total.scripts));
  process.stderr.write(
    `\r${total.scripts} of ${options.scripts} scripts, ${total.differences.length} differ, ${left} s left   `,
  );
}

for (const { configuration, key } of batches) {
  if (!results.has(key)) {
    const { count, seed, longest, huge } = configuration;
    const { found, ...counts } = await searchDifference({ ...sides, count, seed, longest, huge, signal: abort.signal });
    if (abort.signal.aborted) break;
    const difference = found && formatDifference(found.script, found.difference);
    const result = { ...counts, difference };
    appendFileSync(options.output, `${JSON.stringify({ configuration, result })}\n`);
    results.set(key, result);
    performed += counts.scripts;
  }
  add(results.get(key));
  progress();
}
if (process.stderr.isTTY) process.stderr.write('\n');

const met = Object.entries(total.deliberate).map(([name, times]) => `${name} in ${times}`);
const onPurpose = met.length === 0 ? '' : `; on purpose: ${met.join(', ')}`;
process.stdout.write(
  `${total.scripts} of ${options.scripts} scripts (seeds from ${options.seed}), ${total.steps} steps compared with Linux ${kernel}${onPurpose}; ${total.differences.length} differences\n`,
);
for (const difference of total.differences) process.stdout.write(`\n${difference}\n`);
process.exitCode = abort.signal.aborted ? 130 : total.differences.length > 0 ? 1 : 0;
