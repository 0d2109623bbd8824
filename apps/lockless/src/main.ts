// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { CheckError } from '@lockless/checker';
import { RecorderError, RecordingError } from '@lockless/recording';
import { Command, CommanderError } from 'commander';
import { barriersCommand } from './commands/barriers.js';
import { benchCommand } from './commands/bench.js';
import { checkCommand } from './commands/check.js';
import { litmusCommand } from './commands/litmus.js';
import { oracleCommand } from './commands/oracle.js';
import { outcomesCommand } from './commands/outcomes.js';
import { recordCommand } from './commands/record.js';
import { runCommand } from './commands/run.js';
import { EXIT, InputError, UsageError } from './exit-code.js';
import type { Exit, Io } from './io.js';

const EXIT_CODES = `
Exit codes:
  0 holds   1 a violation was found   2 wrong usage   3 bad input   4 a bound was reached without a verdict
  70 internal error   130 interrupted`;

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** The command line: parse with it, or ask it for its help. */
export function program(io: Io, exit: Exit): Command {
  const cli = new Command('lockless')
    .description("Linux's lockless page cache and memory management, replaying real programs on a simulated machine")
    .version(version())
    .showHelpAfterError('(lockless --help lists everything)')
    .addHelpText('after', EXIT_CODES);
  const commands = [
    runCommand(io, exit),
    recordCommand(io, exit),
    checkCommand(io, exit),
    barriersCommand(io, exit),
    litmusCommand(io, exit),
    outcomesCommand(io, exit),
    oracleCommand(io, exit),
    benchCommand(io, exit),
  ];
  for (const command of commands) cli.addCommand(command.showHelpAfterError('(--help lists the options)'));
  for (const command of [cli, ...commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns || 100,
      getErrHelpWidth: () => io.stderr.columns || 100,
    });
  }
  return cli;
}

/** Runs the command line with these arguments. Never rejects. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  let code: number = EXIT.holds;
  try {
    await program(io, (value) => {
      code = value;
    }).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return report(error, io);
  }
}

/** One line on stderr, and the exit code of that kind of failure. */
function report(error: unknown, io: Io): number {
  const complain = (message: string, code: number): number => {
    io.stderr.write(`lockless: ${message}\n`);
    return code;
  };
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.holds : EXIT.usage; // commander has printed it
  if (error instanceof UsageError) return complain(error.message, EXIT.usage);
  if (error instanceof InputError || error instanceof CheckError) return complain(error.message, EXIT.badInput);
  if (error instanceof RecordingError) return complain(error.message, EXIT.badInput);
  if (error instanceof RecorderError) return complain(error.message, EXIT.badInput);
  const stack = error instanceof Error ? error.stack : String(error);
  return complain(`internal error, please report it:\n${stack}`, EXIT.internal);
}
