// SPDX-License-Identifier: MIT
import { readFileSync, rmSync } from 'node:fs';
import {
  type CheckCheckpoint,
  type CheckOptions,
  type CheckResult,
  check,
  formatResult,
  type ModelName,
  type Program,
  pictureOf,
} from '@lockless/checker';
import { checkInParallel } from '@lockless/checker/parallel';
import { type ExecutionGraph, executionDot, executionSvg } from '@lockless/report';
import { scenarios } from '@lockless/scenarios';
import { Argument, Command, Option } from 'commander';
import { afterTable, exitCodeOf, formatFor, jsonOf, ResultTable } from '../check-output.js';
import { InputError, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { repeated, wholeNumber } from '../options.js';
import { OutputFile } from '../output.js';
import { choosePrograms, sourceOf } from '../programs.js';
import { CheckProgress } from '../progress.js';

interface CheckFlags {
  model: ModelName;
  without?: readonly string[];
  list?: true;
  replay?: string;
  maxExecutions?: number;
  maxEvents?: number;
  jobs: number;
  checkpoint?: string;
  resume?: true;
  dot?: string;
  svg?: string;
  json?: true;
}

/** The models, as an option of the commands that check. */
export const modelOption = (): Option =>
  new Option('--model <model>', "the memory model: the Linux kernel's, x86's, or sequential consistency")
    .choices(['lkmm', 'tso', 'sc'])
    .default('lkmm');

/** `lockless check`: every execution of a scenario that the memory model allows. */
export function checkCommand(io: Io, exit: Exit): Command {
  return new Command('check')
    .description('check every execution of concurrent kernel code that the memory model allows')
    .addArgument(
      new Argument(
        '[scenario...]',
        'races of the catalogue, or modules (./my-race.mjs) that export programs; all races when none is named',
      ),
    )
    .addOption(modelOption())
    .addOption(
      new Option(
        '--without <site>',
        'leave out a guard, or the ordering of an access: pageFreezeRefs.atomic_cmpxchg; repeatable',
      ).argParser(repeated),
    )
    .addOption(new Option('--list', 'list the catalogue, and check nothing'))
    .addOption(new Option('--replay <token>', 'repeat the violation that printed this token'))
    .addOption(
      new Option('--max-executions <n>', 'stop after that many executions of a scenario').argParser(
        wholeNumber(1, 2 ** 48),
      ),
    )
    .addOption(
      new Option('--max-events <n>', 'cut executions in which a thread has more events (10,000)').argParser(
        wholeNumber(1, 2 ** 24),
      ),
    )
    .addOption(new Option('--jobs <n>', 'threads that share the work').argParser(wholeNumber(1, 256)).default(1))
    .addOption(new Option('--checkpoint <file>', 'where to note how far a check came that was stopped'))
    .addOption(new Option('--resume', 'go on from the checkpoint'))
    .addOption(new Option('--dot <file>', 'draw the violating execution as DOT'))
    .addOption(new Option('--svg <file>', 'the same as SVG'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((names: string[], flags: CheckFlags) => (flags.list ? list(flags, io) : checkAll(names, flags, io, exit)));
}

function list({ json }: CheckFlags, io: Io): void {
  if (json) {
    const rows = scenarios.map(({ name, summary, source, facts, guards }) => ({
      name,
      summary,
      source,
      facts,
      guards: guards.map((guard) => guard.name),
    }));
    io.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  const names = Math.max(0, ...scenarios.map(({ name }) => name.length));
  for (const { name, summary, source } of scenarios)
    io.stdout.write(`${name.padEnd(names)}  ${summary}\n${' '.repeat(names)}  ${source}\n`);
}

async function checkAll(names: readonly string[], flags: CheckFlags, io: Io, exit: Exit): Promise<void> {
  if (names.length === 0 && (flags.without !== undefined || flags.replay !== undefined))
    throw new UsageError(
      `${flags.replay !== undefined ? '--replay' : '--without'} needs the scenario that it is meant for`,
    );
  for (const [option, given] of Object.entries({
    '--replay': flags.replay,
    '--max-executions': flags.maxExecutions,
    '--checkpoint': flags.checkpoint,
  }))
    if (given !== undefined && flags.jobs > 1)
      throw new UsageError(`${option} goes from one execution to the next, which --jobs does not`);
  const programs = await choosePrograms(names);
  if (flags.replay !== undefined && programs.length !== 1)
    throw new UsageError(`--replay repeats one scenario; ${programs.length} are named`);
  const drawings = chooseDrawings(flags, programs);
  const checkpoint = chooseCheckpoint(flags, programs);
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const format = formatFor(io.stdout, (scenario) =>
    scenarios.some(({ name }) => name === scenario) ? scenario : (names[0] ?? scenario),
  );
  const table = new ResultTable(programs.map(({ name }) => name));
  const print = (text: string): void => void (flags.json || io.stdout.write(`${text}\n`));
  const results: CheckResult[] = [];
  try {
    if (programs.length > 1) print(table.head());
    for (const program of programs) {
      if (abort.signal.aborted) break;
      const result = await checkOne(program, flags, checkpoint?.saved, abort.signal, io);
      results.push(result);
      print(programs.length > 1 ? table.row(result) : formatResult(result, format));
    }
  } finally {
    ignoreInterrupt();
  }
  if (programs.length > 1) print(`\n${afterTable(results, format)}`);
  if (flags.json) io.stdout.write(`${JSON.stringify(results.map(jsonOf))}\n`);
  exit(exitCodeOf(results, abort.signal.aborted));
  checkpoint?.keep(results[0]);
  for (const draw of drawings) draw(results[0], io);
}

interface CheckpointFile {
  /** To go on from. */
  readonly saved: CheckCheckpoint | undefined;
  /** Writes where the check was stopped; when it came to its end the file goes. */
  keep(result: CheckResult | undefined): void;
}

function chooseCheckpoint(
  { checkpoint: path, resume, replay }: CheckFlags,
  programs: readonly Program[],
): CheckpointFile | null {
  if (path === undefined) {
    if (resume) throw new UsageError('--resume needs --checkpoint, the file to go on from');
    return null;
  }
  if (replay !== undefined) throw new UsageError('--checkpoint is of a check, --replay repeats one execution');
  if (programs.length !== 1) throw new UsageError(`--checkpoint is of one program; ${programs.length} are named`);
  const file = new OutputFile(path, '--checkpoint');
  return {
    saved: resume ? readCheckpoint(path) : undefined,
    keep: (result) => {
      if (result?.checkpoint !== undefined) file.write(`${JSON.stringify(result.checkpoint)}\n`);
      else if (resume) rmSync(path, { force: true });
    },
  };
}

function readCheckpoint(path: string): CheckCheckpoint {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as CheckCheckpoint;
  } catch (error) {
    throw new InputError(`${path}: expected a checkpoint, which is JSON: ${(error as Error).message}`);
  }
}

type Draw = (result: CheckResult, io: Io) => void;

/** The pictures that are asked for. Their files are found to be writable before anything runs. */
function chooseDrawings({ dot, svg }: CheckFlags, programs: readonly Program[]): Draw[] {
  const drawing = (option: string, path: string | undefined, render: (graph: ExecutionGraph) => string): Draw[] => {
    if (path === undefined) return [];
    if (programs.length !== 1)
      throw new UsageError(`${option} draws one execution; ${programs.length} programs are named`);
    const file = new OutputFile(path, option);
    return [
      ({ scenario, model, without, violation }, io) => {
        if (violation === undefined || violation.replay === '')
          io.stderr.write(`lockless: ${path} is not written: there is no violating execution to draw\n`);
        else
          file.write(
            render({
              ...pictureOf(programs[0], violation.replay, { model, without }),
              title: `${scenario}: ${violation.message}`,
            }),
          );
      },
    ];
  };
  return [...drawing('--dot', dot, executionDot), ...drawing('--svg', svg, executionSvg)];
}

async function checkOne(
  program: Program,
  flags: CheckFlags,
  resume: CheckCheckpoint | undefined,
  signal: AbortSignal,
  io: Io,
): Promise<CheckResult> {
  const { model, without, replay, maxExecutions, maxEvents, jobs } = flags;
  const progress = new CheckProgress(io.stderr);
  const options: CheckOptions = {
    model,
    signal,
    onProgress: (at) => progress.show(program.name, at),
    ...(without === undefined ? {} : { without }),
    ...(replay === undefined ? {} : { replay }),
    ...(resume === undefined ? {} : { resume }),
    ...(maxExecutions === undefined ? {} : { maxExecutions }),
    ...(maxEvents === undefined ? {} : { maxEvents }),
  };
  try {
    return jobs > 1 ? await checkInParallel(sourceOf(program), jobs, options) : await check(program, options);
  } finally {
    progress.stop();
  }
}
