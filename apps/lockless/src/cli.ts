#!/usr/bin/env node
// SPDX-License-Identifier: MIT
import { RecorderError, RecordingError } from '@lockless/recording';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './commands/bench.js';
import { recordCommand } from './commands/record.js';
import { runCommand } from './commands/run.js';
import { EXIT, UsageError } from './exit-code.js';

const EXIT_CODES = `
Exit codes:
  0 holds   1 a violation was found   2 wrong usage   3 bad input   4 a bound was reached without a verdict
  70 internal error   130 interrupted`;

function program(): Command {
  return new Command('lockless')
    .description("Linux's lockless page cache and memory management, replaying real programs on a simulated machine")
    .version('0.0.0')
    .exitOverride()
    .showHelpAfterError('(lockless --help lists everything)')
    .addHelpText('after', EXIT_CODES)
    .addCommand(runCommand())
    .addCommand(recordCommand())
    .addCommand(benchCommand());
}

/** One line on stderr, and the exit code of that kind of failure. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.holds : EXIT.usage; // commander has printed it
  if (error instanceof UsageError) return complain(error.message, EXIT.usage);
  if (error instanceof RecordingError) return complain(error.message, EXIT.badInput);
  if (error instanceof RecorderError) return complain(error.message, EXIT.badInput);
  const stack = error instanceof Error ? error.stack : String(error);
  return complain(`internal error, please report it:\n${stack}`, EXIT.internal);
}

function complain(message: string, code: number): number {
  process.stderr.write(`lockless: ${message}\n`);
  return code;
}

async function main(): Promise<void> {
  const cli = program();
  for (const command of cli.commands) command.exitOverride().showHelpAfterError('(--help lists the options)');
  try {
    await cli.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

// A reader that goes away (`lockless run | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.holds);
  throw error;
});
await main();
