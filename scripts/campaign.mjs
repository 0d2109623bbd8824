// SPDX-License-Identifier: MIT
// Many runs over seeds, memory models and CPU counts, on all cores. Results are appended one JSON line each as they come, so Ctrl-C loses
// nothing and a second start goes on where the first stopped. Exit code 1 when a run with all guards did not hold (or one without a
// guard was never found).
//   npm run campaign -- --seeds 100 --output campaign.jsonl
//   npm run campaign:swap      a quarter of the memory and a swap area, on each of the four reverse mappings
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Tinypool } from 'tinypool';

const list = (text) => text.split(',').filter((part) => part !== '');
const numbers = (text) => list(text).map(Number);
const folder = fileURLToPath(new URL('../recordings/', import.meta.url));
const bundled = readdirSync(folder)
  .filter((file) => file.endsWith('.lkr.gz'))
  .map((file) => join(folder, file));

const options = new Command('campaign')
  .option(
    '--recordings <files>',
    'recordings, separated by commas',
    (text) => list(text).map((name) => bundled.find((path) => basename(path, '.lkr.gz') === name) ?? name),
    bundled,
  )
  .option('--seeds <n>', 'seeds for each configuration', Number, 10)
  .option('--first <seed>', 'the first seed', Number, 1)
  .option('--models <list>', 'memory models', list, ['sc', 'tso', 'weak'])
  .option('--cpus <list>', 'CPU counts', numbers, [1, 2, 4, 8])
  .option('--memory <percent>', 'memory as a share of the footprint; without it there is plenty', Number)
  .option('--swap <percent>', 'a swap area, as a share of the footprint; without it there is none', Number)
  .option('--rmaps <list>', 'reverse mappings', list, ['anon-vma'])
  .option('--thp-order <n>', 'huge pages of so many pages, as a power of two; without it there are none', Number)
  .option('--thp-tails <list>', 'how references to parts of huge pages are counted', list, ['tail-mapcount'])
  .option('--beside <list>', 'what goes on beside the program: migrate, guest', list, [])
  .option('--inject <list>', 'kinds of faults to inject, separated by commas', list, [])
  .option('--rate <share>', 'how often each is injected', Number, 0.01)
  .option('--neighbours <n>', 'other processes beside the program', Number, 0)
  .option('--without <guard>', 'leave out a guard: the campaign succeeds when that is found')
  .option('--jobs <n>', 'processes', Number, availableParallelism())
  .option('--output <file>', 'results as JSON lines; appended', 'campaign.jsonl')
  .parse()
  .opts();

const hugePages =
  options.thpOrder === undefined
    ? [{}]
    : options.thpTails.map((thpTails) => ({ thp: 'always', thpOrder: options.thpOrder, thpTails }));

function* configurations() {
  const memory = options.memory === undefined ? { pages: 65536 } : { percent: options.memory };
  const swap = options.swap === undefined ? {} : { swap: { percent: options.swap } };
  const inject = Object.fromEntries(options.inject.map((kind) => [kind, options.rate]));
  for (let seed = options.first; seed < options.first + options.seeds; seed++) {
    for (const path of options.recordings) {
      for (const model of options.models) {
        for (const cpus of options.cpus) {
          for (const rmap of options.rmaps) {
            for (const huge of hugePages)
              yield {
                path,
                name: basename(path, '.lkr.gz'),
                cpus,
                model,
                seed,
                memory,
                ...swap,
                ...(rmap === 'anon-vma' ? {} : { rmap }),
                ...huge,
                ...Object.fromEntries(options.beside.map((name) => [name, true])),
                inject,
                without: options.without === undefined ? [] : [options.without],
                neighbours: options.neighbours,
              };
          }
        }
      }
    }
  }
}

const keyOf = ({ path: _path, ...configuration }) => JSON.stringify(configuration);
const lines = existsSync(options.output) ? readFileSync(options.output, 'utf8').split('\n').filter(Boolean) : [];
const done = new Map(
  lines.map((line) => JSON.parse(line)).map(({ configuration, result }) => [JSON.stringify(configuration), result]),
);
const all = [...configurations()];
const results = all.map((configuration) => done.get(keyOf(configuration)) ?? null);
let finished = results.filter((result) => result !== null).length;
const earlier = finished;
const pool = new Tinypool({
  filename: new URL('./campaign-worker.mjs', import.meta.url).href,
  minThreads: options.jobs,
  maxThreads: options.jobs,
  runtime: 'child_process',
});
const started = performance.now();
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
  void pool.destroy();
});

function progress() {
  if (!process.stderr.isTTY) return;
  const each = (performance.now() - started) / 1000 / Math.max(1, finished - earlier);
  process.stderr.write(`\r${finished} of ${all.length} runs, ${Math.ceil(each * (all.length - finished))} s left   `);
}

async function runOne(configuration, i) {
  const result = await pool.run(configuration, { name: 'replayOne' });
  results[i] = result;
  finished += 1;
  const { path: _path, ...kept } = configuration;
  appendFileSync(options.output, `${JSON.stringify({ configuration: kept, result })}\n`);
  progress();
}
await Promise.all(
  all.map((configuration, i) =>
    results[i] === null
      ? runOne(configuration, i).catch((error) => {
          if (!stopped) throw error;
        })
      : null,
  ),
);
if (process.stderr.isTTY) process.stderr.write('\n');

const ran = results.filter((result) => result !== null);
const failed = ran.filter(({ verdict, wrong }) => verdict !== 'holds' || wrong > 0);
const kinds = new Map();
for (const result of failed) kinds.set(result.kind, [...(kinds.get(result.kind) ?? []), result]);
process.stdout.write(`${ran.length} of ${all.length} runs, ${failed.length} did not hold\n`);
const total = (count) => ran.reduce((sum, result) => sum + (count(result) ?? 0), 0).toLocaleString('en');
process.stdout.write(
  `${total((run) => run.accesses)} shared accesses; pages: ${total((run) => run.reclaimed)} reclaimed, ` +
    `${total((run) => run.swap?.pagesOut)} written to swap, ${total((run) => run.swap?.pagesIn)} read back\n` +
    `every recorded operation replayed in ${total((run) => (run.operations === run.operationsTotal ? 1 : 0))} runs\n`,
);
for (const [kind, those] of kinds)
  process.stdout.write(`  ${those.length} × ${kind}: ${those[0].message?.split('\n')[0]}\n    ${those[0].replay}\n`);
const ok = options.without === undefined ? failed.length === 0 : failed.length > 0;
process.exitCode = stopped ? 130 : ok ? 0 : 1;
