// SPDX-License-Identifier: MIT
import type { ScenarioOutcome, TableName } from '@lockless/outcomes';
import { Argument, Command, Option } from 'commander';
import { EXIT, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { repeated, wholeNumber } from '../options.js';
import { OutcomesProgress } from '../progress.js';

interface OutcomesFlags {
  seconds: number;
  instances?: number;
  table: Exclude<TableName, 'plain'>;
  without: readonly string[];
  noise?: true;
  untilViolated?: true;
  seed: number;
  list?: true;
  json?: true;
}

/** `lockless outcomes`: the programs of scenarios on threads. */
export function outcomesCommand(io: Io, exit: Exit): Command {
  return new Command('outcomes')
    .description(
      'run the programs of scenarios on threads of this machine, again and again, and count what they end in',
    )
    .addArgument(new Argument('[scenario...]', 'by name; none: all that have a native build'))
    .addOption(new Option('--seconds <n>', 'how long each runs').argParser(wholeNumber(1, 86_400)).default(1))
    .addOption(
      new Option('--instances <n>', 'end when there were so many, if the seconds are not over before').argParser(
        wholeNumber(1, 2 ** 31),
      ),
    )
    .addOption(
      new Option('--table <name>', "column of cpu's table of primitives")
        .choices(['fast', 'strict'] satisfies OutcomesFlags['table'][])
        .default('fast'),
    )
    .addOption(
      new Option('--without <guard>', 'leave out a guard: is it noticed? May be repeated')
        .argParser(repeated)
        .default([], 'none'),
    )
    .addOption(
      new Option('--noise', 'threads stop at random before their accesses, so that rare interleavings are less rare'),
    )
    .addOption(new Option('--until-violated', 'end when a claim is broken'))
    .addOption(
      new Option('--seed <n>', 'how early and late threads are follows from it')
        .argParser(wholeNumber(0, 2 ** 31 - 1))
        .default(1),
    )
    .addOption(new Option('--list', 'list the scenarios, with the guards that x86 needs'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((names: string[], flags: OutcomesFlags) => runScenarios(names, flags, io, exit));
}

async function runScenarios(names: readonly string[], flags: OutcomesFlags, io: Io, exit: Exit): Promise<void> {
  // Loads the native builds, which nothing else needs.
  const { guardsOf, nativeScenarios, runScenario, scenarioTable } = await import('@lockless/outcomes');
  const known = nativeScenarios();
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`no scenario "${unknown}" with a native build: lockless outcomes --list lists them`);
  const chosen = names.length === 0 ? known : names;
  if (flags.list) return list(chosen, guardsOf, flags, io);
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new OutcomesProgress(io.stderr, chosen);
  const outcomes: ScenarioOutcome[] = [];
  try {
    for (const name of chosen) {
      if (abort.signal.aborted) break;
      const onProgress = (batches: number): void => progress.show(outcomes.length, batches);
      const outcome = await runScenario(name, { ...flags, signal: abort.signal, onProgress });
      progress.stop();
      outcomes.push(outcome);
      if (!flags.json) io.stdout.write(`${scenarioTable(outcome)}${again(outcome, flags)}\n`);
    }
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  } finally {
    progress.stop();
    ignoreInterrupt();
  }
  if (flags.json) io.stdout.write(`${JSON.stringify(outcomes)}\n`);
  if (outcomes.some(({ holds }) => !holds)) exit(EXIT.violated);
  else if (abort.signal.aborted) exit(EXIT.interrupted);
}

/** Of a broken claim: how to see it again, and who shows how it comes about. */
function again({ scenario, holds, without, noise, seed }: ScenarioOutcome, { table, seconds }: OutcomesFlags): string {
  if (holds) return '';
  const left = without.map((guard) => ` --without ${guard}`).join('');
  const native = `--table ${table}${noise ? ' --noise' : ''} --seed ${seed} --seconds ${seconds}`;
  return [
    `  again: lockless outcomes ${scenario}${left} ${native}`,
    `  how it comes about, step by step: lockless check ${scenario}${left} --model tso`,
    '',
  ].join('\n');
}

function list(
  names: readonly string[],
  guardsOf: (name: string) => readonly string[],
  { json }: OutcomesFlags,
  io: Io,
): void {
  const rows = names.map((scenario) => ({ scenario, guards: guardsOf(scenario) }));
  if (json) io.stdout.write(`${JSON.stringify(rows)}\n`);
  else for (const { scenario, guards } of rows) io.stdout.write(`${[scenario, ...guards].join('  ')}\n`);
}
