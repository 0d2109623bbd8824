// SPDX-License-Identifier: MIT
import { readRecording } from '@lockless/recording';
import type { RmapDesign, SimulateOptions, TailDesign } from '@lockless/replay';
import { RMAP_DESIGNS, SimulationInputError, simulate, TAIL_DESIGNS } from '@lockless/replay';
import type { RunResult } from '@lockless/report';
import { renderHtml, renderSummary } from '@lockless/report';
import { Argument, Command, Option } from 'commander';
import { EXIT, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import type { Injection, MemorySize } from '../options.js';
import { injection, memorySize, repeated, wholeNumber } from '../options.js';
import { OutputFile } from '../output.js';
import { RunProgress } from '../progress.js';
import { bundledRecordings, type ChosenRecording, chooseRecording } from '../recordings.js';

interface RunFlags {
  cpus: number;
  memory: MemorySize;
  swap?: MemorySize;
  seed: number;
  model: 'sc' | 'tso' | 'weak';
  scheduler: 'random' | 'round-robin' | 'pct';
  generation: 'freeze-refs' | 'nonewrefs' | 'tree-lock';
  rmap: RmapDesign;
  thp: 'never' | 'always' | 'madvise';
  thpOrder: number;
  thpTails?: TailDesign;
  build: 'smp' | 'up-preempt' | 'up';
  inject?: Injection;
  without?: readonly string[];
  neighbours: number;
  migrate?: true;
  khugepaged?: true;
  guest?: true;
  limit?: number;
  report?: string;
  json?: true;
}

/** `lockless run`: the product's main job. */
export function runCommand(io: Io, exit: Exit): Command {
  return new Command('run')
    .description(
      'replay a recording of a real program on the simulated machine and compare with what the real kernel did',
    )
    .addArgument(
      new Argument(
        '[recording]',
        `a recording, or the name of one that comes with lockless (${bundledRecordings().join(', ')})`,
      ),
    )
    .addOption(new Option('--cpus <n>', 'processors').argParser(wholeNumber(1, 64)).default(4))
    .addOption(
      new Option('--memory <size>', 'memory, as 64M or as a share of what the program needs, 25%')
        .argParser(memorySize)
        .default({ pages: 65536 }, '256M'),
    )
    .addOption(
      new Option('--swap <size>', 'a swap area, as 64M or as a share of what the program needs, 100%').argParser(
        memorySize,
      ),
    )
    .addOption(
      new Option('--seed <n>', 'decides every interleaving, delay and stale load')
        .argParser(wholeNumber(0, 0xffffffff))
        .default(1),
    )
    .addOption(new Option('--model <model>', 'how weak memory is').choices(['sc', 'tso', 'weak']).default('weak'))
    .addOption(
      new Option('--scheduler <name>', 'who runs next').choices(['random', 'round-robin', 'pct']).default('random'),
    )
    .addOption(
      new Option(
        '--generation <name>',
        'page-cache lookups: lockless (2.6.27, or the patch of 2006) or under tree_lock (2.6.26)',
      )
        .choices(['freeze-refs', 'nonewrefs', 'tree-lock'])
        .default('freeze-refs'),
    )
    .addOption(
      new Option(
        '--rmap <name>',
        'reverse mapping: through areas (2.6.7), chains of page-table entries (2.6.5), areas for files and chains for the rest, or areas for files and families of processes',
      )
        .choices(RMAP_DESIGNS)
        .default('anon-vma'),
    )
    .addOption(
      new Option('--thp <when>', 'transparent huge pages: where faults on anonymous memory map them')
        .choices(['never', 'always', 'madvise'])
        .default('never'),
    )
    .addOption(
      new Option('--thp-order <n>', 'pages of a huge page, as a power of two').argParser(wholeNumber(1, 9)).default(9),
    )
    .addOption(
      new Option(
        '--thp-tails <name>',
        'references to a part of a huge page: in its _mapcount (3.2; the default), in its count with splits that wait for a grace period (the series of 2011), or in its count (3.1)',
      ).choices(TAIL_DESIGNS),
    )
    .addOption(
      new Option('--build <name>', 'how the kernel is built: for many CPUs, or for one, with preemption or without')
        .choices(['smp', 'up-preempt', 'up'])
        .default('smp'),
    )
    .addOption(
      new Option('--inject <kind=rate>', 'make things fail: enomem, eio, enospc, signal; repeatable').argParser(
        injection,
      ),
    )
    .addOption(
      new Option(
        '--without <guard>',
        'leave out a guard of the kernel, as findGetPage.slotRecheck; repeatable',
      ).argParser(repeated),
    )
    .addOption(
      new Option('--neighbours <n>', "other processes that read the program's files and drop them from the cache")
        .argParser(wholeNumber(0, 64))
        .default(0),
    )
    .addOption(
      new Option('--guest', "a guest in the memory of the program's processes, by a second MMU and without references"),
    )
    .addOption(
      new Option('--khugepaged', 'khugepaged makes huge pages of small ones while the program runs (with --thp)'),
    )
    .addOption(new Option('--migrate', 'move pages to other frames at random while the program runs'))
    .addOption(
      new Option('--limit <operations>', 'stop after that many replayed operations').argParser(wholeNumber(1, 2 ** 31)),
    )
    .addOption(new Option('--report <file>', 'write a self-contained HTML page'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((argument: string | undefined, flags: RunFlags) => run(argument, flags, io, exit));
}

async function run(argument: string | undefined, flags: RunFlags, io: Io, exit: Exit): Promise<void> {
  const page = flags.report === undefined ? null : new OutputFile(flags.report, '--report');
  const result = await replay(chooseRecording(argument), flags, io);
  exit(exitCode(result));
  try {
    page?.write(await renderHtml(result));
  } finally {
    const color = io.stdout.isTTY === true && !process.env.NO_COLOR;
    const text = flags.json
      ? `${JSON.stringify(result)}\n`
      : renderSummary(result, { color, width: io.stdout.columns || 120 });
    io.stdout.write(text);
  }
}

async function replay({ file, name }: ChosenRecording, flags: RunFlags, io: Io): Promise<RunResult> {
  const recording = readRecording(file);
  const abort = new AbortController();
  const progress = new RunProgress(io.stderr);
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  try {
    return await simulate(recording, {
      ...optionsOf(flags),
      path: name,
      signal: abort.signal,
      onProgress: (at) => progress.show(at),
    });
  } catch (error) {
    if (error instanceof SimulationInputError) throw new UsageError(error.message);
    throw error;
  } finally {
    ignoreInterrupt();
    progress.stop();
  }
}

function optionsOf(flags: RunFlags): SimulateOptions {
  const {
    cpus,
    memory,
    swap,
    seed,
    model,
    scheduler,
    generation,
    rmap,
    thp,
    thpOrder,
    thpTails,
    build,
    inject,
    without,
    neighbours,
    migrate,
    khugepaged,
    guest,
    limit,
  } = flags;
  return {
    cpus,
    memory,
    ...(swap === undefined ? {} : { swap }),
    seed,
    model,
    scheduler,
    generation,
    rmap,
    thp,
    thpOrder,
    ...(thpTails === undefined ? {} : { thpTails }),
    build,
    inject: inject ?? {},
    without: without ?? [],
    neighbours,
    migrate: migrate ?? false,
    khugepaged: khugepaged ?? false,
    guest: guest ?? false,
    limit: limit ?? null,
  };
}

function exitCode(result: RunResult): number {
  return { holds: EXIT.holds, violated: EXIT.violated, bounded: EXIT.bounded, interrupted: EXIT.interrupted }[
    result.verdict
  ];
}
