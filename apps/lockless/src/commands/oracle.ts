// SPDX-License-Identifier: MIT
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import {
  type Comparison,
  compareScript,
  deliberateDifferences,
  formatDifference,
  formatScript,
  kernelHasHugePages,
  kernelSide,
  OracleError,
  parseScript,
  type Script,
  ScriptError,
  type SearchResult,
  type Side,
  searchDifference,
  simulatedSide,
} from '@lockless/oracle';
import { Argument, Command, Option } from 'commander';
import { EXIT, InputError, UsageError } from '../exit-code.js';
import type { Exit, Io } from '../io.js';
import { wholeNumber } from '../options.js';
import { OracleProgress } from '../progress.js';

interface OracleFlags {
  generate?: number;
  seed?: number;
  differences?: true;
  json?: true;
}

/** Scripts that are generated when nothing else is asked for. */
const DEFAULT_COUNT = 100;
const MAX_SEED = 2 ** 31 - 1;

/** `lockless oracle`: the memory manager against the kernel that runs. */
export function oracleCommand(io: Io, exit: Exit): Command {
  return new Command('oracle')
    .description('hold the memory manager against the kernel that runs: the same steps on both (root, gcc)')
    .addArgument(
      new Argument('[script...]', 'steps to perform, - for standard input; generated ones when none is named'),
    )
    .addOption(
      new Option(
        '--generate <n>',
        `perform so many generated scripts, up to the first difference (default: ${DEFAULT_COUNT} without a script)`,
      ).argParser(wholeNumber(1, 2 ** 31 - 1)),
    )
    .addOption(
      new Option('--seed <n>', 'which scripts are generated (default: others each time)').argParser(
        wholeNumber(0, MAX_SEED),
      ),
    )
    .addOption(new Option('--differences', 'list what is meant to differ, and why; compare nothing'))
    .addOption(new Option('--json', 'print one JSON document and nothing else'))
    .action((names: string[], flags: OracleFlags) =>
      flags.differences ? list(flags, io) : compare(names, flags, io, exit),
    );
}

function list({ json }: OracleFlags, io: Io): void {
  const rows = deliberateDifferences.map(({ name, reason }) => ({ name, reason }));
  const text = json ? `${JSON.stringify(rows)}\n` : rows.map(({ name, reason }) => `${name}\n  ${reason}\n`).join('');
  io.stdout.write(text);
}

/** A script of the command line, and what came of it. */
interface Performed extends Comparison {
  readonly name: string;
  readonly script: Script;
}

async function compare(names: readonly string[], flags: OracleFlags, io: Io, exit: Exit): Promise<void> {
  const scripts = names.map((name) => ({ name, script: read(name) }));
  const real = realSide();
  const simulated = simulatedSide();
  const print = (text: string): void => void (flags.json || io.stdout.write(`${text}\n`));
  const performed: Performed[] = [];
  for (const { name, script } of scripts) {
    const done = { name, script, ...compareScript(script, simulated, real) };
    performed.push(done);
    print(describe(done));
  }
  const count = flags.generate ?? (names.length === 0 ? DEFAULT_COUNT : 0);
  const seed = flags.seed ?? randomInt(MAX_SEED);
  const generated = count === 0 ? null : await generate(count, seed, { simulated, real }, io);
  if (generated !== null) print(describeGenerated(generated.result, seed));
  if (flags.json) io.stdout.write(`${JSON.stringify(documentOf(performed, generated, seed))}\n`);
  const differs = performed.some(({ difference }) => difference !== null) || (generated?.result.found ?? null) !== null;
  exit(differs ? EXIT.violated : generated?.interrupted ? EXIT.interrupted : EXIT.holds);
}

function read(name: string): Script {
  const shown = name === '-' ? 'standard input' : name;
  try {
    return parseScript(readFileSync(name === '-' ? 0 : name, 'utf8'), shown);
  } catch (error) {
    if (error instanceof ScriptError) throw new InputError(error.message);
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new InputError(`${shown}: cannot be read: ${getSystemErrorMap().get(errno)?.[1]}`);
  }
}

/** What is missing on this machine is told as wrong usage: elsewhere the same command works. */
function realSide(): Side {
  try {
    return kernelSide();
  } catch (error) {
    if (error instanceof OracleError) throw new UsageError(error.message);
    throw error;
  }
}

/** Generated scripts with huge pages: each takes as long as a dozen others. */
const HUGE_PERCENT = 5;

interface Generated {
  readonly result: SearchResult;
  readonly interrupted: boolean;
}

async function generate(
  count: number,
  seed: number,
  sides: { simulated: Side; real: Side },
  io: Io,
): Promise<Generated> {
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new OracleProgress(io.stderr);
  const huge = kernelHasHugePages() ? HUGE_PERCENT : 0;
  try {
    const onProgress = (at: Parameters<OracleProgress['show']>[1]): void => progress.show(count, at);
    const result = await searchDifference({ ...sides, count, seed, huge, signal: abort.signal, onProgress });
    return { result, interrupted: abort.signal.aborted };
  } finally {
    progress.stop();
    ignoreInterrupt();
  }
}

const met = (deliberate: readonly string[]): string =>
  deliberate.length === 0 ? '' : `; on purpose: ${deliberate.join(', ')}`;

function describe({ name, script, steps, difference, deliberate }: Performed): string {
  if (difference !== null) return `${name}: ${formatDifference(script, difference)}`;
  return `${name}: the same on both sides, ${steps} of ${script.steps.length} steps compared${met(deliberate)}`;
}

function describeGenerated({ scripts, steps, found, deliberate }: SearchResult, seed: number): string {
  const counts = Object.entries(deliberate).map(([name, times]) => `${name} in ${times}`);
  const done = `${scripts} generated scripts (seed ${seed}), ${steps} steps compared${met(counts)}`;
  return found === null
    ? `${done}: the same on both sides`
    : `${done}\n${formatDifference(found.script, found.difference)}`;
}

function documentOf(performed: readonly Performed[], generated: Generated | null, seed: number): unknown {
  const found = generated?.result.found ?? null;
  return {
    kernel: release(),
    scripts: performed.map(({ script, ...rest }) => rest),
    generated: generated && {
      seed,
      ...generated.result,
      found: found && { script: formatScript(found.script), difference: found.difference },
      interrupted: generated.interrupted,
    },
  };
}
