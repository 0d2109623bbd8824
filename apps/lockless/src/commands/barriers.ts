// SPDX-License-Identifier: MIT
import { type FormatOptions, formatResult, type ModelName, type Necessity, necessity, wrap } from '@lockless/checker';
import { Argument, Command, Option } from 'commander';
import { exitCodeOf, formatFor, jsonOf } from '../check-output.js';
import { EXIT, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { wholeNumber } from '../options.js';
import { choosePrograms } from '../programs.js';
import { CheckProgress } from '../progress.js';
import { modelOption } from './check.js';

interface BarriersFlags {
  model: ModelName;
  maxExecutions?: number;
  json?: true;
}

/** `lockless barriers`: which ordering sites and guards carry the proof. */
export function barriersCommand(io: Io, exit: Exit): Command {
  return new Command('barriers')
    .description(
      'leave out each barrier, each ordering and each guard of a scenario in turn: which of them carry the proof',
    )
    .addArgument(new Argument('<scenario>', 'a race of the catalogue, or a module that exports one program'))
    .addOption(modelOption())
    .addOption(
      new Option('--max-executions <n>', 'stop each check after that many executions').argParser(
        wholeNumber(1, 2 ** 48),
      ),
    )
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((name: string, flags: BarriersFlags) => barriers(name, flags, io, exit));
}

async function barriers(
  argument: string,
  { model, maxExecutions, json }: BarriersFlags,
  io: Io,
  exit: Exit,
): Promise<void> {
  const programs = await choosePrograms([argument]);
  const [program] = programs;
  if (programs.length > 1)
    throw new UsageError(
      `${argument} exports ${programs.length} programs: name one, as in ${argument}#${program.name}`,
    );
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new CheckProgress(io.stderr);
  let left = program.name;
  const bound = maxExecutions === undefined ? {} : { maxExecutions };
  const format = formatFor(io.stdout, () => argument);
  const rows: Necessity[] = [];
  let code: number = EXIT.holds;
  try {
    const steps = necessity(program, {
      model,
      signal: abort.signal,
      onProgress: (at) => progress.show(left, at),
      ...bound,
    });
    for await (const step of steps) {
      progress.stop();
      if ('whole' in step) {
        code = exitCodeOf([step.whole], abort.signal.aborted);
        if (!json) io.stdout.write(`with everything in place, ${formatResult(step.whole, format)}\n`);
        else if (step.whole.verdict === 'violated')
          io.stdout.write(`${JSON.stringify([{ name: null, result: jsonOf(step.whole) }])}\n`);
        if (step.whole.verdict === 'violated') return;
      } else rows.push(step);
      left = `${program.name}, ${rows.length} of its parts done`;
    }
  } finally {
    progress.stop();
    ignoreInterrupt();
    exit(code);
  }
  io.stdout.write(
    json ? `${JSON.stringify(rows.map((row) => ({ ...row, result: jsonOf(row.result) })))}\n` : render(rows, format),
  );
  if (abort.signal.aborted) exit(EXIT.interrupted);
  else if (code === EXIT.holds && rows.some(({ result }) => result.verdict === 'bounded')) exit(EXIT.bounded);
}

/** The table, and a counterexample for each that carries the proof. */
function render(rows: readonly Necessity[], format: FormatOptions): string {
  if (rows.length === 0) return '\nno ordering site and no guard takes part\n';
  const cells = rows.map((row) => [row.name, verdictOf(row), row.location, row.weaker]);
  const heads = ['left out', 'and then', 'location', 'what remains'];
  const widths = heads.slice(0, 3).map((head, i) => Math.max(head.length, ...cells.map((row) => row[i].length)));
  const rest = Math.max(24, (format.width ?? 100) - widths.reduce((sum, width) => sum + width + 2, 0));
  const line = (row: readonly string[]): string[] => {
    const left = row
      .slice(0, 3)
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ');
    return wrap(row[3], rest).map((part, i) => `${i === 0 ? left : ' '.repeat(left.length)}  ${part}`.trimEnd());
  };
  const needed = rows.filter(({ result }) => result.verdict === 'violated');
  const table = ['', ...line(heads), ...cells.flatMap(line)];
  const sum = `${needed.length} of ${rows.length} carry the proof`;
  return `${[...table, '', sum, ...needed.flatMap(({ result }) => ['', formatResult(result, format)])].join('\n')}\n`;
}

function verdictOf({ result: { verdict, violation, executions, bound } }: Necessity): string {
  const number = executions.toLocaleString('en-US');
  if (verdict === 'violated')
    return `carries the proof: ${violation?.kind}${violation?.at ? ` in ${violation.at}` : ''} (after ${number})`;
  return verdict === 'holds' ? `not needed: holds (${number})` : `undecided: ${bound}`;
}
