// SPDX-License-Identifier: MIT
import { type Recorded, RecorderError, type RecorderFailure, record, recordingTotals } from '@lockless/recording';
import { shellWords } from '@lockless/report';
import { Command, Option } from 'commander';
import { EXIT, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';

interface RecordFlags {
  output: string;
  dropCaches: boolean;
  json?: true;
}

/** What the user can mend by calling differently; everything else is the machine's or the program's. */
const USAGE: ReadonlySet<RecorderFailure> = new Set([
  'not-root',
  'unsupported-machine',
  'no-tracefs',
  'no-strace',
  'command-not-found',
  'cannot-write',
]);

/** `lockless record -- COMMAND`: root on Linux, with strace and tracefs. */
export function recordCommand(io: Io, exit: Exit): Command {
  return new Command('record')
    .description(
      'record what a program asks of memory and files, and what the real kernel does (root, strace, tracefs)',
    )
    .argument('<command...>', 'the program and its arguments, after --')
    .addOption(new Option('-o, --output <file>', 'the recording to write').default('recording.lkr.gz'))
    .addOption(new Option('--no-drop-caches', 'leave the page cache as it is: files already cached stay so'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((command: string[], flags: RecordFlags) => run(command, flags, io, exit));
}

async function run(command: string[], flags: RecordFlags, io: Io, exit: Exit): Promise<void> {
  try {
    const { output, dropCaches } = flags;
    const recorded = await record({ command, output, dropCaches, stdio: flags.json ? 'stderr' : 'inherit' });
    io.stdout.write(flags.json ? `${JSON.stringify(summary(recorded, output))}\n` : describe(recorded, output));
  } catch (error) {
    if (!(error instanceof RecorderError)) throw error;
    if (error.failure === 'interrupted') {
      io.stderr.write(`lockless: ${error.message}\n`);
      exit(EXIT.interrupted);
    } else if (USAGE.has(error.failure)) throw new UsageError(error.message);
    else throw error;
  }
}

function summary({ recording, code, signal }: Recorded, output: string): Record<string, unknown> {
  const { command, warnings } = recording.header;
  return {
    output,
    command,
    exit: code,
    signal,
    files: recording.files.length,
    ...recordingTotals(recording),
    warnings,
  };
}

function describe({ recording, code, signal }: Recorded, output: string): string {
  const totals = recordingTotals(recording);
  const { processes, threads, records, calls, userFaults, kernelFaults, pagesAdded, pagesRemoved } = totals;
  const lines = [
    `${output}: ${records} records`,
    `  processes ${processes}, threads ${threads}, files ${recording.files.length}, system calls ${calls}`,
    `  page faults ${userFaults + kernelFaults}, pages added to the page cache ${pagesAdded}, removed ${pagesRemoved}, there before ${totals.pagesCachedBefore}`,
    `the program ended with ${signal ?? `exit status ${code}`}`,
    ...recording.header.warnings.map((warning) => `warning: ${warning}`),
    `replay it: lockless run ${shellWords([output])}`,
  ];
  return `${lines.join('\n')}\n`;
}
