// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { LitmusError, parseLitmus } from '@lockless/litmus';
import {
  type Calibration,
  calibrate,
  calibrationLine,
  forbiddenText,
  kindCounts,
  NativeLitmus,
  type NativeOptions,
  type NativeOutcome,
  NotNative,
  outcomeTable,
} from '@lockless/outcomes';
import { EXIT } from './exit-code.js';
import type { Exit, Io } from './io.js';
import type { ChosenTests } from './litmus-files.js';
import { NativeProgress } from './progress.js';

export interface NativeFlags {
  readonly seconds: number;
  readonly table: NonNullable<NativeOptions['table']>;
  readonly seed: number;
  readonly weaken: readonly string[];
  readonly json?: true;
}

type NativeRun =
  | { readonly kind: 'outcome'; readonly file: string; readonly name: string; readonly outcome: NativeOutcome }
  /** It has no native form. */
  | { readonly kind: 'skipped'; readonly file: string; readonly name: string; readonly reason: string }
  | { readonly kind: 'failure'; readonly file: string; readonly message: string };

/** `lockless litmus --native`: runs tests on threads, and holds what they end in against the model's answer. */
export async function runNatively(
  { files, folder }: ChosenTests,
  flags: NativeFlags,
  io: Io,
  exit: Exit,
): Promise<void> {
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new NativeProgress(io.stderr, files);
  const litmus = new NativeLitmus();
  const runs: NativeRun[] = [];
  try {
    progress.calibrating();
    const calibration = await calibrate(litmus, { signal: abort.signal });
    const print = flags.json ? () => {} : printer(files, folder, flags, io);
    for (const file of files) {
      if (abort.signal.aborted) break;
      const options = { ...flags, weakened: flags.weaken, signal: abort.signal };
      const run = await runOne(litmus, file, {
        ...options,
        onProgress: (batches) => progress.show(runs.length, batches),
      });
      progress.stop();
      runs.push(run);
      print(run);
    }
    report(runs, calibration, flags, io);
    exit(exitCodeOf(runs, calibration, abort.signal.aborted));
  } finally {
    progress.stop();
    ignoreInterrupt();
    await litmus.end();
  }
}

async function runOne(litmus: NativeLitmus, file: string, options: NativeOptions): Promise<NativeRun> {
  let name = file;
  try {
    const test = parseLitmus(readFileSync(file, 'utf8'), file);
    name = test.name;
    return { kind: 'outcome', file, name, outcome: await litmus.run(test, options) };
  } catch (error) {
    if (error instanceof NotNative) return { kind: 'skipped', file, name, reason: error.message };
    if (error instanceof LitmusError) return { kind: 'failure', file, message: error.message };
    const reason = getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0)?.[1];
    if (reason === undefined) throw error;
    return { kind: 'failure', file, message: `${file}: cannot be read: ${reason}` };
  }
}

function exitCodeOf(runs: readonly NativeRun[], { reordered }: Calibration, interrupted: boolean): number {
  if (runs.some(({ kind }) => kind === 'failure')) return EXIT.badInput;
  if (runs.some((run) => run.kind === 'outcome' && !run.outcome.holds)) return EXIT.violated;
  if (interrupted) return EXIT.interrupted;
  return reordered > 0 ? EXIT.holds : EXIT.bounded;
}

/** A table for each test, or for a folder a line. */
function printer(files: readonly string[], folder: boolean, flags: NativeFlags, io: Io): (run: NativeRun) => void {
  const width = Math.max('test'.length, ...files.map((file) => file.length));
  const line = (file: string, ...cells: readonly string[]): string =>
    `${[file.padEnd(width), ...cells.map((cell) => cell.padStart(12))].join('  ').trimEnd()}\n`;
  if (folder) io.stdout.write(line('test', 'instances', 'allowed', 'seen', 'not sc', 'forbidden'));
  return (run) => {
    if (run.kind === 'failure') io.stderr.write(`lockless: ${run.message}\n`);
    else if (run.kind === 'skipped') io.stdout.write(`${run.file.padEnd(width)}  not native: ${run.reason}\n`);
    else if (!folder) io.stdout.write(`${outcomeTable(run.name, run.outcome)}\n`);
    else io.stdout.write(line(run.file, ...cellsOf(run.outcome)));
    if (run.kind === 'outcome' && !run.outcome.holds)
      io.stdout.write(`${forbiddenText(run.outcome, commandFor(run.file, flags))}\n`);
  };
}

/** What a user types to see the same again. */
function commandFor(file: string, { table, weaken, seed, seconds }: NativeFlags): string {
  const weakened = weaken.map((primitive) => `--weaken ${primitive} `).join('');
  return `lockless litmus --native --table ${table} ${weakened}--seed ${seed} --seconds ${seconds} ${file}`;
}

function cellsOf({ instances, rows }: NativeOutcome): string[] {
  const { sc, surprising, unseen, forbidden, undetermined } = kindCounts(rows);
  const allowed = sc + surprising + unseen;
  const numbers = [instances, allowed, sc + surprising + undetermined, surprising, forbidden];
  return numbers.map((n) => n.toLocaleString('en-US'));
}

function report(runs: readonly NativeRun[], calibration: Calibration, { json }: NativeFlags, io: Io): void {
  if (json) {
    io.stdout.write(`${JSON.stringify({ calibration, tests: runs.map(jsonOf) })}\n`);
    return;
  }
  const outcomes = runs.flatMap((run) => (run.kind === 'outcome' ? [run.outcome] : []));
  const violated = outcomes.filter(({ holds }) => !holds).length;
  const skipped = runs.filter(({ kind }) => kind === 'skipped').length;
  const found = violated === 0 ? 'no forbidden outcome' : `a forbidden outcome in ${violated}`;
  io.stdout.write(
    `${outcomes.length} tests on threads${skipped > 0 ? ` (${skipped} are not native)` : ''}: ${found}; ${calibrationLine(calibration)}\n`,
  );
}

/** What scripts get: its shape is documented in docs/command-line.md. */
function jsonOf(run: NativeRun): Record<string, unknown> {
  if (run.kind === 'failure') return { file: run.file, error: run.message.split('\n', 1)[0] };
  if (run.kind === 'skipped') return { file: run.file, name: run.name, notNative: run.reason };
  const { rows, holds, ...outcome } = run.outcome;
  return { file: run.file, name: run.name, ...outcome, verdict: holds ? 'holds' : 'violated', outcomes: rows };
}
