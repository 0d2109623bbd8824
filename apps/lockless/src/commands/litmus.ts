// SPDX-License-Identifier: MIT
import type { TableName } from '@lockless/outcomes';
import { Argument, Command, Option } from 'commander';
import { UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { chooseTests } from '../litmus-files.js';
import type { NativeFlags } from '../litmus-native.js';
import { exitCodeOf, jsonOf, LitmusTable, summaryOf } from '../litmus-output.js';
import { inThisThread, inThreads, type RunTests } from '../litmus-pool.js';
import type { DrawingFormat, LitmusOptions, LitmusRun } from '../litmus-run.js';
import { repeated, wholeNumber } from '../options.js';
import { OutputFile } from '../output.js';
import { LitmusProgress } from '../progress.js';
import { modelOption } from './check.js';

interface LitmusFlags extends NativeFlags {
  native?: true;
  model: LitmusOptions['model'];
  unroll: number;
  jobs: number;
  dot?: string;
  svg?: string;
  json?: true;
}

/** `lockless litmus`: litmus tests in C, with the verdicts and in the format of herd7. */
export function litmusCommand(io: Io, exit: Exit): Command {
  return new Command('litmus')
    .description('run litmus tests of the Linux kernel and of herd: every execution that the memory model allows')
    .addArgument(new Argument('<path...>', 'tests, or folders: all .litmus files in and below them, as a table'))
    .addOption(modelOption())
    .addOption(
      new Option('--unroll <n>', 'how often the body of a loop may run before the execution is cut')
        .argParser(wholeNumber(0, 64))
        .default(4),
    )
    .addOption(new Option('--jobs <n>', 'tests at a time').argParser(wholeNumber(1, 256)).default(1))
    .addOption(
      new Option(
        '--dot <file>',
        'draw an execution of the test as DOT: one in which its condition holds, if there is one',
      ),
    )
    .addOption(new Option('--svg <file>', 'the same as SVG'))
    .addOption(
      new Option(
        '--native',
        'run them on threads of this machine instead, again and again, and compare what they end in with what LKMM allows',
      ).conflicts(['model', 'unroll', 'jobs', 'dot', 'svg']),
    )
    .addOption(
      new Option('--seconds <n>', 'with --native: how long each test runs')
        .argParser(wholeNumber(1, 86_400))
        .default(1),
    )
    .addOption(
      new Option('--table <name>', "with --native: column of cpu's table of primitives; plain: no ordering at all")
        .choices(['fast', 'strict', 'plain'] satisfies TableName[])
        .default('fast'),
    )
    .addOption(
      new Option('--weaken <primitive>', 'with --native: take the ordering from a primitive; may be repeated')
        .argParser(repeated)
        .default([], 'none'),
    )
    .addOption(
      new Option('--seed <n>', 'with --native: what threads do follows from it, but for when')
        .argParser(wholeNumber(0, 2 ** 31 - 1))
        .default(1),
    )
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((paths: string[], flags: LitmusFlags) => runTests(paths, flags, io, exit));
}

async function runTests(paths: readonly string[], flags: LitmusFlags, io: Io, exit: Exit): Promise<void> {
  const chosen = chooseTests(paths);
  if (flags.native) {
    // Loads the native builds, which nothing else needs.
    const { runNatively } = await import('../litmus-native.js');
    return runNatively(chosen, flags, io, exit);
  }
  const { files, folder } = chosen;
  const drawings = chooseDrawings(flags, files);
  const { model, unroll } = flags;
  const runs: LitmusRun[] = [];
  const print = flags.json ? () => {} : printer(files, folder, io);
  const interrupted = await collect(
    files,
    { model, unroll, draw: drawings.map(({ format }) => format) },
    flags.jobs,
    io,
    (run) => {
      runs.push(run);
      print(run);
    },
  );
  exit(exitCodeOf(runs, interrupted));
  if (flags.json) io.stdout.write(`${JSON.stringify(runs.map(jsonOf))}\n`);
  else if (folder) io.stdout.write(`\n${summaryOf(runs, files.length)}\n`);
  draw(runs, drawings, io);
}

interface Drawing {
  readonly format: DrawingFormat;
  readonly path: string;
  readonly output: OutputFile;
}

/** The files to draw to, which are found to be writable before anything runs. */
function chooseDrawings({ dot, svg }: LitmusFlags, files: readonly string[]): readonly Drawing[] {
  const drawings: Drawing[] = [];
  for (const [format, path] of [
    ['dot', dot],
    ['svg', svg],
  ] as const) {
    if (path === undefined) continue;
    if (files.length !== 1) throw new UsageError(`--${format} draws one test; ${files.length} are named`);
    drawings.push({ format, path, output: new OutputFile(path, `--${format}`) });
  }
  return drawings;
}

function draw([run]: readonly LitmusRun[], drawings: readonly Drawing[], io: Io): void {
  if (run?.kind !== 'finding') return;
  for (const { format, path, output } of drawings) {
    const drawn = run.drawings[format];
    if (drawn === undefined) io.stderr.write(`lockless: ${path} is not written: there is no execution to draw\n`);
    else output.write(drawn);
  }
}

/** Runs the tests; whether it was interrupted. On a terminal, other threads do it, so that this one can show how far they are and hear Ctrl-C. */
async function collect(
  files: readonly string[],
  options: LitmusOptions,
  jobs: number,
  io: Io,
  take: (run: LitmusRun) => void,
): Promise<boolean> {
  const abort = new AbortController();
  if (io.stderr.isTTY !== true && jobs === 1) {
    for await (const run of inThisThread(files, options)) take(run);
    return false;
  }
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new LitmusProgress(io.stderr, files);
  const run: RunTests = inThreads(Math.min(jobs, files.length), abort.signal);
  try {
    progress.start();
    for await (const each of run(files, options)) {
      progress.pause();
      take(each);
      progress.next();
    }
  } finally {
    progress.stop();
    ignoreInterrupt();
  }
  return abort.signal.aborted;
}

/** Prints each test as soon as it is done: a line of the table, or what herd prints. */
function printer(files: readonly string[], folder: boolean, io: Io): (run: LitmusRun) => void {
  if (folder) {
    const table = new LitmusTable(files);
    io.stdout.write(`${table.head()}\n`);
    return (run) => void io.stdout.write(`${table.row(run)}\n`);
  }
  const complain = (text: string): void => void io.stderr.write(`lockless: ${text}\n`);
  return (run) => {
    if (run.kind === 'failure') return complain(run.message);
    io.stdout.write(run.text);
    for (const note of run.notes) complain(note);
    if (run.judgement === 'different') complain(`${run.file}: declared ${run.declared}, found ${run.found}`);
  };
}
