// SPDX-License-Identifier: MIT
import { record } from '@lockless/recording';
import { Command, Option } from 'commander';

interface RecordFlags {
  output: string;
  dropCaches: boolean;
  json?: true;
}

/** `lockless record -- COMMAND`: root on Linux, with strace and tracefs. */
export function recordCommand(): Command {
  return new Command('record')
    .description(
      'record what a program asks of memory and files, and what the real kernel does (root, strace, tracefs)',
    )
    .argument('<command...>', 'the program and its arguments, after --')
    .addOption(new Option('-o, --output <file>', 'the recording to write').default('recording.lkr.gz'))
    .addOption(new Option('--no-drop-caches', 'leave the page cache as it is: files already cached stay so'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action(run);
}

async function run(command: string[], flags: RecordFlags): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once('SIGINT', interrupt);
  try {
    const summary = await record({ command, output: flags.output, dropCaches: flags.dropCaches, signal: abort.signal });
    process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : `${flags.output}: ${JSON.stringify(summary)}\n`);
  } finally {
    process.off('SIGINT', interrupt);
  }
}
