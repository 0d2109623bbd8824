// SPDX-License-Identifier: MIT
import { benchSimulator, renderSimulatorBench } from '@lockless/simulator';
import { Argument, Command, Option } from 'commander';
import type { Io } from '../io.js';

/** `lockless bench NAME`: measurements of the engines themselves. */
export function benchCommand(io: Io): Command {
  return new Command('bench')
    .description('measure the engines on this machine')
    .addArgument(new Argument('[name]', 'what to measure').choices(['simulator']).default('simulator'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((_name: string, flags: { json?: true }) => {
      const result = benchSimulator((line) => {
        if (io.stderr.isTTY) io.stderr.write(`${line}\n`);
      });
      io.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${renderSimulatorBench(result)}\n`);
    });
}
