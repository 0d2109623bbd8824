// SPDX-License-Identifier: MIT
import type { ModelName } from '@lockless/checker';
import { benchChecker, renderCheckerBench } from '@lockless/checker/bench';
import { benchSimulator, CACHES, renderSimulatorBench } from '@lockless/simulator';
import { Argument, Command, Option } from 'commander';
import { UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { repeated, wholeNumber } from '../options.js';
import { benchExperiments, EXPERIMENTS, type ExperimentFlags, type ExperimentSeries } from './bench-experiments.js';
import { benchNative, type NativeFlags } from './bench-native.js';

type EngineName = 'simulator' | 'checker';
type BenchName = EngineName | ExperimentSeries | 'native';

interface BenchFlags extends ExperimentFlags, NativeFlags {
  accesses: number;
  model?: ModelName;
  program?: readonly string[];
  json?: true;
}

const isSeries = (name: string): name is ExperimentSeries => Object.hasOwn(EXPERIMENTS, name);

/** `lockless bench NAME`: measurements of the engines and of the native build on this machine, and of the kernel's code on a simulated one. */
export function benchCommand(io: Io, exit: Exit): Command {
  return new Command('bench')
    .description(
      'measure the engines or the native build on this machine, or the page cache and the reverse mappings on a simulated one',
    )
    .addArgument(
      new Argument('[name]', 'what to measure')
        .choices(['simulator', 'checker', 'native', ...Object.keys(EXPERIMENTS)])
        .default('simulator'),
    )
    .addOption(
      new Option('--accesses <n>', 'simulator: shared-memory accesses in each measurement')
        .argParser(wholeNumber(1000, 1e9))
        .default(2_000_000),
    )
    .addOption(new Option('--model <model>', 'checker: only that memory model').choices(['sc', 'tso', 'lkmm']))
    .addOption(
      new Option('--program <name>', 'checker: only that program, SB(12) for example; repeatable').argParser(repeated),
    )
    .addOption(
      new Option('--experiment <name>', 'native, pagecache, rmap: only that experiment; repeatable').argParser(
        repeated,
      ),
    )
    .addOption(
      new Option('--caches <machine>', 'pagecache, rmap: the machine whose caches are simulated')
        .choices(Object.keys(CACHES))
        .default('altix'),
    )
    .addOption(
      new Option('--seeds <n>', 'pagecache, rmap: make each run with the seeds 1 to n')
        .argParser(wholeNumber(1, 1000))
        .default(5),
    )
    .addOption(
      new Option('--pages <n>', 'native: pages of the file, a multiple of 64')
        .argParser(wholeNumber(256, 1 << 18))
        .default(1 << 14),
    )
    .addOption(
      new Option('--rounds <n>', 'native: so often everything is measured in turn')
        .argParser(wholeNumber(1, 10_000))
        .default(25),
    )
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action(async (name: BenchName, flags: BenchFlags) => {
      if (name === 'native') return exit(await benchNative(flags, io));
      if (isSeries(name)) return exit(await benchExperiments(name, flags, io));
      const onProgress = (line: string): void => {
        if (io.stderr.isTTY === true) io.stderr.write(`${line}\n`);
      };
      const { rows, table } = (name === 'simulator' ? simulator : checker)(flags, onProgress);
      io.stdout.write(flags.json ? `${JSON.stringify(rows)}\n` : `${table}\n`);
    });
}

interface Measurements {
  readonly rows: readonly unknown[];
  readonly table: string;
}

function simulator({ accesses }: BenchFlags, onProgress: (line: string) => void): Measurements {
  const rows = benchSimulator(onProgress, { accesses });
  return { rows, table: renderSimulatorBench(rows) };
}

function checker({ model, program }: BenchFlags, onProgress: (line: string) => void): Measurements {
  const models = model === undefined ? {} : { models: [model] };
  const rows = benchChecker(onProgress, { ...models, ...(program === undefined ? {} : { programs: program }) });
  if (rows.length === 0) throw new UsageError(`--program: no such program under that model: ${program?.join(', ')}`);
  return { rows, table: renderCheckerBench(rows) };
}
