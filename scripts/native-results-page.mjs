// SPDX-License-Identifier: MIT
// @ts-check
/** @import { NativeFigure, NativeResults } from '@lockless/native-bench' */
import { Measured } from './native-results-charts.mjs';

/** Three digits. @param {number} value */
const digits = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(value >= 10 ? 3 : 2)).toString();
/** @param {NativeFigure | undefined} figure */
const text = (figure) =>
  figure === undefined
    ? ''
    : figure.samples === 1
      ? digits(figure.median)
      : `${digits(figure.median)} (${digits(figure.low)} to ${digits(figure.high)})`;

/** A table of one experiment: a row for each subject, a column for each measure. @param {NativeResults} results @param {string} experiment @param {Record<string, string>} measures by the head of the column */
function table(results, experiment, measures) {
  const columns = Object.values(measures).map((measure) => new Measured(results, experiment, measure));
  const subjects = [...new Set(columns.flatMap((column) => column.subjects))];
  return [
    `| | ${Object.keys(measures).join(' | ')} |`,
    `|---|${columns.map(() => '--:').join('|')}|`,
    ...subjects.map((subject) => `| ${subject} | ${columns.map((column) => text(column.of(subject))).join(' | ')} |`),
  ].join('\n');
}

/** @param {NativeResults} results */
export const wasmTables = (results) => ({
  accesses: table(results, 'accesses', { ns: 'ns' }),
  lookups: table(results, 'wasm', { ns: 'ns', '× by hand': '× by hand', '× native': '× native' }),
  machine: machineLine(results),
});

/** @param {NativeResults} results */
const machineLine = ({ machine: { processor, processors, system, node, v8, load } }) =>
  `Measured on ${processors} × ${processor}, ${system}, Node.js ${node} (V8 ${v8}); load average before: ${digits(load)}.${
    load > processors / 2
      ? ' **The machine was busy with other things: take ratios, not times, and the two-thread figures not at all.**'
      : ''
  }`;

/** Machines whose RCU readers say nothing, in runs in which they were measured. @param {NativeResults} results @returns {[string, string, NativeFigure, (value: number) => boolean][]} */
function quietAims(results) {
  /** @type {[string, string, number][]} */
  const kinds = [
    ['find and put', '× native, quiet', 10],
    ['a peek', '× native, peek, quiet', 10],
  ];
  /** @type {[string, string, NativeFigure | undefined, (value: number) => boolean][]} */
  const rows = ['lmdb', 'sharedmap', 'objectbuffer, array', 'objectbuffer, object'].flatMap((other) =>
    kinds.map(([what, measure, aim]) => [
      `readers that say nothing: time of a read of ${other}, times ${what}`,
      `at least ${aim}`,
      new Measured(results, 'lookup', measure).of(other),
      (x) => x >= aim,
    ]),
  );
  for (const [what, subject] of [
    ['lookups', 'lockless, quiet'],
    ['peeks', 'lockless, quiet, peek'],
  ])
    rows.push([
      `readers that say nothing: ${what} beside a writer, share of the rate alone`,
      'at least 0.8',
      new Measured(results, 'beside a writer', 'rate kept').of(subject),
      (x) => x >= 0.8,
    ]);
  return rows.flatMap(([what, aim, figure, met]) => (figure === undefined ? [] : [[what, aim, figure, met]]));
}

/** What the rows of such machines are, where there are any. @param {NativeResults} results */
const quietReaders = (results) =>
  new Measured(results, 'lookup', 'ns').of('native, quiet') === undefined
    ? ''
    : `
\`quiet\` is the same on a machine that was made with \`rcu: 'qsbr'\` ([rcu.md](rcu.md#which-flavour)): readers make no barrier, so a find and put has two \`Atomics\` operations and a peek has none.
By hand a quiet reader does nothing at all; the packages' looks whether its thread is online, counts its depth, and counts readers until the next statement: about 3 ns for both ends together.
`;

/** Lookups in WebAssembly, and on machines whose readers say nothing. */
const IN_WEBASSEMBLY = {
  wasm: 'find and put in WebAssembly',
  'wasm, quiet': 'that, with readers that say nothing',
  'wasm, peek': 'a peek in WebAssembly',
  'wasm, peek, quiet': 'that, with a reader that says nothing',
};

/** What was aimed at, and what came out. @param {NativeResults} results */
function aims(results) {
  /** @param {string} experiment @param {string} measure @param {string} subject */
  const value = (experiment, measure, subject) => new Measured(results, experiment, measure).of(subject);
  /** Where they were measured. @param {string} other @returns {[string, string, NativeFigure | undefined, (value: number) => boolean][]} */
  const inWebAssembly = (other) =>
    Object.entries(IN_WEBASSEMBLY).flatMap(([subject, what]) => {
      const found = value('lookup', `× ${subject}`, other);
      return found === undefined ? [] : [[`the same, times ${what}`, 'at least 10', found, (x) => x >= 10]];
    });
  /** @type {[string, string, NativeFigure | undefined, (value: number) => boolean][]} */
  const rows = [
    [
      'find and put of a cached page, times the same by hand',
      'at most 1.3',
      value('lookup', '× by hand', 'native'),
      (x) => x <= 1.3,
    ],
    [
      'the same code in one module, as a bundler makes it',
      'at most 1.3',
      value('lookup', '× by hand', 'native, bundled'),
      (x) => x <= 1.3,
    ],
    ...['lmdb', 'sharedmap', 'objectbuffer, array', 'objectbuffer, object'].flatMap((other) => [
      /** @type {[string, string, NativeFigure | undefined, (value: number) => boolean]} */ ([
        `time of a read of ${other}, times find and put`,
        'at least 10',
        value('lookup', '× native', other),
        (x) => x >= 10,
      ]),
      /** @type {[string, string, NativeFigure | undefined, (value: number) => boolean]} */ ([
        `the same, times a peek, which gives the value as that read does`,
        'at least 10',
        value('lookup', '× native, peek', other),
        (x) => x >= 10,
      ]),
      ...inWebAssembly(other),
    ]),
    ...quietAims(results),
    [
      'two threads, pages of their own, lockless',
      'at least 1.8',
      value('two threads', 'two threads, × one', 'own pages, lockless'),
      (x) => x >= 1.8,
    ],
    [
      'the same with tree_lock',
      'under 1.1',
      value('two threads', 'two threads, × one', 'own pages, tree_lock'),
      (x) => x < 1.1,
    ],
    [
      'two threads, one page, peek',
      'scales',
      value('two threads', 'two threads, × one', 'one page, peek'),
      (x) => x >= 1.8,
    ],
    [
      'lookups beside a writer, share of the rate alone',
      'at least 0.8',
      value('beside a writer', 'rate kept', 'lockless'),
      (x) => x >= 0.8,
    ],
  ];
  return [
    '| | aim | measured | |',
    '|---|---|--:|---|',
    ...rows.map(([what, aim, figure, met]) => {
      const verdict = figure === undefined ? 'not measured' : met(figure.median) ? 'met' : 'not met';
      return `| ${what} | ${aim} | ${text(figure)} | ${verdict} |`;
    }),
  ].join('\n');
}

/** @param {NativeResults} results */
const notMeasured = ({ skipped }) =>
  skipped.length === 0
    ? ''
    : `\nNot measured: ${skipped.map(({ subject, reason }) => `${subject} (${reason})`).join(', ')}.\n`;

/** @param {string} name @param {string} what it shows, for those who do not see it */
const picture = (name, what) => `![${what}](images/${name}.svg)`;

/** What of ten times a store's lookups is out of reach with a reference. @param {NativeResults} results */
function tenTimes(results) {
  const add = new Measured(results, 'accesses', 'ns').of('i32.atomic.rmw.add')?.median;
  const array = new Measured(results, 'lookup', 'ns').of('objectbuffer, array')?.median;
  if (add === undefined || array === undefined) return '';
  return `Readers that say nothing and WebAssembly leave two locked instructions of a find and put: the reference, and the put. One takes ${add.toFixed(1)} ns here, both ${(2 * add).toFixed(0)} ns; a tenth of a
read of objectbuffer's array is ${(array / 10).toFixed(0)} ns. Ten times that store's lookups ${2 * add > array / 10 ? 'are out of reach' : 'leave little time'} with a reference, in any language; a peek, which gives the value as that read does, has them.`;
}

/** docs/native/results.md. @param {NativeResults} results */
export const page = (results) => `# The native build, measured

Generated by \`node scripts/native-results.mjs --measure\` from a run of \`lockless bench native\`; the figures are in [results.json](results.json).
${machineLine(results)} Every figure is the median of the rounds, in brackets the 10th and the 90th percentile.

How it is measured: every subject has a thread, and so a compiler, of its own; in each round all have their turn, one after the other, in another order, and ratios
are made within a round. What a lookup finds is summed up and compared with what it must find. Threads that are measured together begin together and note the time
after each chunk of about 50 µs; only chunks during the whole of which the other thread got on as well count, and bursts with less than half their time in such chunks do not count at
all (\`overlap\` is the share). Each round has its control: either thread alone.

${aims(results)}
${notMeasured(results)}
## One thread

${picture('lookup', 'Cost of a lookup: native, by hand, in WebAssembly, Map.get, lmdb, sharedmap, objectbuffer')}

Pages of a file in the cache (other stores: as many entries with the same keys), drawn by Zipf's law:

${table(results, 'lookup', { ns: 'ns', '× by hand': '× by hand', '× native': '× native', '× native, peek': '× native, peek' })}

\`native\` is \`find_get_page\`, a look at the page, and \`put_page\`: the kernel's code as it is checked, stripped. \`by hand\` is the same protocol over the same words by somebody who has a typed
array and no abstractions: as many \`Atomics\`, the same counters, no assertions
([hand-written.ts](../../packages/native-bench/src/hand-written.ts), held word for word to the kernel code by a test). \`bundled\` is the same code in one module. \`peek\` reads what the page holds without a reference and then looks at the slot
again. \`Map.get\` is of a map that belongs to one thread. lmdb and sharedmap keep more than a number for a number, and do more; who needs that does not compare them.
${quietReaders(results)}
${picture('working-set', 'Cost of a lookup by the number of pages')}

<a id="what-stands-between"></a>

## What stands between the source and the code by hand

Not the algorithm, which is the same, and not the translation: its functions have nothing left to remove. It is how V8 treats many small functions in many modules
(\`--trace-turbo-inlining\`, \`--cpu-prof\`). What the build does about it ([docs/native.md](../native.md#what-v8-is-given)), step by step, as shares of the code by hand: least times
of 15 rounds in which all subjects had their turn, on a busy machine, V8 11.3:

| | find and put | peek |
|---|--:|--:|
| a file is a module: about 200 | 3.2 | 2.9 |
| a package is a module, and what does not change is a constant of it | 1.64 | 1.9 |
| the words of the machine are a constant, too | 1.50 | 1.9 |
| what a failed assertion says is apart from the assertion; a function that only calls another is that one | 1.48 | 1.6 |
| accessors of layouts and settings are written out | 1.46 | 1.6 |
| and V8 allowed to inline more (\`--max-inlined-bytecode-size-cumulative=4000\`), before the last two steps | 1.28 | 1.4 |
| what a thread knows of itself is a constant, as the words are (least times of the run of the last rows, on the same busy machine: 1.40 and 1.48 before) | 1.29 | 1.44 |
| small functions are written out where they are called, and numbers where they are named | 1.20 | 1.38 |
| and the program that looks up makes constants of what it imports | 1.23 | 1.03 |

An import is a cell that is read at each use, and each call through it is checked against what was seen before; a lookup makes about sixty such calls. V8 inlines 920 bytes of bytecode into a function, and a lookup
with all that it calls had more than that: the last calls of it stayed calls. With calls written out beforehand it has less. A bundler that makes one module of the packages gives nothing more. What
is left beside the code by hand are the preemption count, the depth of readers, interrupts off for a counter, the choice between generations, and assertions: plain loads and stores of the
thread's own, which belong to what is checked.

A find and put has four \`Atomics\` operations (begin of the reader, reference, end of the reader, put) and a peek two; each is a call of 8 ns and more in V8, by hand as well. They are most of what is left,
and why a find and put by hand is not ten times as fast as a read of lmdb either: 7 times, in that run. A program that only reads has the peek, with 12 times.

${tenTimes(results)}

## Two threads

${picture('scaling', 'Lookups of two threads, times those of one')}

${table(results, 'two threads', { 'two threads, × one': 'two threads, × one', 'ns alone': 'ns alone', 'ns together': 'ns together', overlap: 'overlap' })}

\`struct page\` has a cache line of its own. One page that both look up is a wall, as in the kernel: its count moves from one processor to the other with each reference. Who only
reads need not take one: a peek writes to no word that another thread reads.

## Beside a writer

A second thread inserts pages into the same file, and has reclaim take them out again, as fast as it can:

${table(results, 'beside a writer', { 'rate kept': 'rate kept', 'ns alone': 'ns alone', 'ns together': 'ns together', 'ns of a page in and out': 'ns of a page in and out, together', overlap: 'overlap' })}

## FileCache, fs.read and lru-cache

${picture('files', 'Reads per millisecond of two threads: fs.readSync, FileCache, lru-cache')}

Two threads read pages of 4 KiB by Zipf's law from a file of four times the budget. The operating system has all of the file in its own cache, which is not in the column of memory:

${table(results, 'files', { 'reads/ms, two threads': 'reads/ms, two threads', 'µs alone': 'µs alone', 'share of hits': 'share of hits', 'MiB in all': 'MiB in all', overlap: 'overlap' })}

**Plain \`fs.read\` is the better choice** where the operating system has the file in memory and misses are common: it copies 4 KiB in about a microsecond, which is less than any cache in JavaScript
needs to make room for a page. A shared cache pays where a hit saves more than that: a budget that holds what is hot, views in place of copies, storage that is slow (a network, a
decompression), memory that must be one copy for all threads, or writes that are to be gathered. A cache for each thread has the better constant and needs the memory as many times.
`;
