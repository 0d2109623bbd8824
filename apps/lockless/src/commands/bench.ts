// SPDX-License-Identifier: MIT
import { benchSimulator, renderSimulatorBench } from '@lockless/simulator';
import { Argument, Command, Option } from 'commander';

/** `lockless bench NAME`: measurements of the engines themselves. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure the engines on this machine')
    .addArgument(new Argument('[name]', 'what to measure').choices(['simulator']).default('simulator'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action(async (_name: string, flags: { json?: true }) => {
      const result = await benchSimulator((line) => {
        if (process.stderr.isTTY) process.stderr.write(`${line}\n`);
      });
      process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `${renderSimulatorBench(result)}\n`);
    });
}
