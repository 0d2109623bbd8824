// SPDX-License-Identifier: MIT
import { EXIT } from './exit-code.js';
import type { LitmusFinding, LitmusRun } from './litmus-run.js';

/** What scripts get: its shape is documented in docs/command-line.md. */
export function jsonOf(run: LitmusRun): Record<string, unknown> {
  if (run.kind === 'failure') return { file: run.file, error: firstLine(run.message) };
  const { file, name, observation, states, positive, negative, flags, declared, found, judgement, notes, bounded } =
    run;
  return {
    file,
    name,
    observation,
    states: states.length,
    positive,
    negative,
    race: flags.includes('data-race'),
    seconds: Number(run.seconds.toFixed(6)),
    finalStates: states,
    flags,
    declared,
    found,
    judgement,
    bounded,
    notes,
  };
}

const firstLine = (text: string): string => text.split('\n', 1)[0];

/** The worst of several results decides. */
export function exitCodeOf(runs: readonly LitmusRun[], interrupted: boolean): number {
  const findings = runs.filter((run): run is LitmusFinding => run.kind === 'finding');
  if (findings.length < runs.length) return EXIT.badInput;
  if (findings.some(isWrong)) return EXIT.violated;
  if (interrupted) return EXIT.interrupted;
  return findings.some(({ bounded }) => bounded) ? EXIT.bounded : EXIT.holds;
}

/** A declared result that differs decides; where none is declared, `forall` and `~exists` are what the test claims. */
const isWrong = ({ judgement, refuted }: LitmusFinding): boolean =>
  judgement === 'different' || (judgement === 'undeclared' && refuted);

const REMARKS = {
  'as-declared': '',
  undeclared: '',
  forgiven: 'a race, so nothing else counts',
  different: 'DIFFERENT',
} as const;

/** A line for each test. The files are known beforehand, so each line is printed when its test ends. */
export class LitmusTable {
  private readonly files: number;

  constructor(files: readonly string[]) {
    this.files = Math.max('test'.length, ...files.map((file) => file.length));
  }

  head(): string {
    return this.line('test', 'declared', 'found', 'states', 'executions', 'seconds', '');
  }

  row(run: LitmusRun): string {
    if (run.kind === 'failure') return `${run.file.padEnd(this.files)}  ${reason(run.file, run.message)}`;
    const { file, declared, found, states, positive, negative, seconds, judgement, refuted, bounded } = run;
    const remark = judgement === 'undeclared' && refuted ? 'its condition does not hold' : REMARKS[judgement];
    const remarks = [remark, bounded ? 'bounded' : ''].filter((each) => each !== '').join(', ');
    return this.line(
      file,
      declared ?? '-',
      found,
      String(states.length),
      String(positive + negative),
      seconds.toFixed(3),
      remarks,
    );
  }

  private line(file: string, declared: string, found: string, ...rest: [string, string, string, string]): string {
    const [states, executions, seconds, remark] = rest;
    const cells = [file.padEnd(this.files), declared.padEnd(18), found.padEnd(18), states.padStart(6)];
    return [...cells, executions.padStart(10), seconds.padStart(8), remark].join('  ').trimEnd();
  }
}

/** The first line of a message, without the name of the file, which stands in front of it in the table. */
const reason = (file: string, message: string): string =>
  firstLine(message).startsWith(`${file}:`) ? firstLine(message).slice(file.length + 1) : firstLine(message);

/** What all tests together showed. */
export function summaryOf(runs: readonly LitmusRun[], total: number): string {
  const count = (matches: (finding: LitmusFinding) => boolean): number =>
    runs.filter((run) => run.kind === 'finding' && matches(run)).length;
  const unread = runs.filter(({ kind }) => kind === 'failure').length;
  const parts: [number, string][] = [
    [count(({ judgement }) => judgement === 'as-declared'), 'as declared'],
    [count(({ judgement }) => judgement === 'forgiven'), 'with the declared race'],
    [count(({ judgement }) => judgement === 'different'), 'different'],
    [count(({ judgement }) => judgement === 'undeclared'), 'without a declared result'],
    [count(isWrong) - count(({ judgement }) => judgement === 'different'), 'whose condition does not hold'],
    [count(({ bounded }) => bounded), 'bounded'],
    [unread, 'in error'],
    [total - runs.length, 'not run'],
  ];
  const seconds = runs.reduce((sum, run) => sum + (run.kind === 'finding' ? run.seconds : 0), 0);
  const counted = parts.filter(([number]) => number > 0).map(([number, text]) => `${number} ${text}`);
  return `${total} test${total === 1 ? '' : 's'}: ${counted.join(', ')}; ${seconds.toFixed(2)} s`;
}
