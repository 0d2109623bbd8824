// SPDX-License-Identifier: MIT
import { benchSimulator, renderSimulatorBench } from '@lockless/simulator';
import { Argument, Command, Option } from 'commander';
import type { Io } from '../io.js';
import { wholeNumber } from '../options.js';

interface BenchFlags {
  accesses: number;
  json?: true;
}

/** `lockless bench NAME`: measurements of the engines themselves. */
export function benchCommand(io: Io): Command {
  return new Command('bench')
    .description('measure the engines on this machine')
    .addArgument(new Argument('[name]', 'what to measure').choices(['simulator']).default('simulator'))
    .addOption(
      new Option('--accesses <n>', 'shared-memory accesses in each measurement')
        .argParser(wholeNumber(1000, 1e9))
        .default(2_000_000),
    )
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((_name: string, { accesses, json }: BenchFlags) => {
      const onProgress = (line: string): void => {
        if (io.stderr.isTTY === true) io.stderr.write(`${line}\n`);
      };
      const rows = benchSimulator(onProgress, { accesses });
      io.stdout.write(json ? `${JSON.stringify(rows)}\n` : `${renderSimulatorBench(rows)}\n`);
    });
}
