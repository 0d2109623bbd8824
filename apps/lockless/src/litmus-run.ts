// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import {
  conditionHolds,
  type Execution,
  finalStates,
  found,
  herdOutput,
  type Judgement,
  judge,
  type Litmus,
  LitmusError,
  type Observation,
  type Outcome,
  observation,
  parseLitmus,
  type SolveOptions,
  solve,
  troubleLines,
  warnings,
} from '@lockless/litmus';
import { type ExecutionGraph, executionDot, executionSvg } from '@lockless/report';

export interface LitmusOptions {
  readonly model: NonNullable<SolveOptions['model']>;
  readonly unroll: number;
  /** Draw an execution in these formats. */
  readonly draw: readonly DrawingFormat[];
}

export type DrawingFormat = 'dot' | 'svg';

/** All that the command says about a test. Goes from worker to main thread, so it is data only. */
export interface LitmusFinding {
  readonly kind: 'finding';
  readonly file: string;
  readonly name: string;
  readonly declared: string | null;
  readonly found: string;
  readonly judgement: Judgement;
  readonly observation: Observation;
  readonly states: readonly string[];
  readonly positive: number;
  readonly negative: number;
  readonly flags: readonly string[];
  /** Whether a `forall` or `~exists` says what is not so. */
  readonly refuted: boolean;
  /** Whether a loop was cut, and what was seen does not settle the matter. */
  readonly bounded: boolean;
  /** What herd is silent about: why executions are missing, what is likely a slip. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** As herd prints it. */
  readonly text: string;
  /** A witness of the condition, or where there is none the first execution; empty where there is none at all. */
  readonly drawings: Readonly<Partial<Record<DrawingFormat, string>>>;
}

/** A test that cannot be read or has no meaning. */
export interface LitmusFailure {
  readonly kind: 'failure';
  readonly file: string;
  /** With file, line and column, and the line itself. */
  readonly message: string;
}

export type LitmusRun = LitmusFinding | LitmusFailure;

/** Reads and runs one test. */
export function runLitmus(file: string, { model, unroll, draw }: LitmusOptions): LitmusRun {
  try {
    const litmus = parseLitmus(readFileSync(file, 'utf8'), file);
    return finding(file, litmus, solve(litmus, { model, unroll, execution: draw.length > 0 }), draw);
  } catch (error) {
    if (error instanceof LitmusError) return { kind: 'failure', file, message: error.message };
    const reason = getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0)?.[1];
    if (reason === undefined) throw error;
    return { kind: 'failure', file, message: `${file}: cannot be read: ${reason}` };
  }
}

function finding(file: string, litmus: Litmus, outcome: Outcome, formats: readonly DrawingFormat[]): LitmusFinding {
  const { positive, negative, flags, seconds, execution, troubles, model } = outcome;
  const seen = observation(outcome);
  return {
    kind: 'finding',
    file,
    name: litmus.name,
    declared: litmus.declared,
    found: found(outcome),
    judgement: judge(litmus.declared, outcome),
    observation: seen,
    states: finalStates(outcome),
    positive,
    negative,
    flags,
    refuted: litmus.quantifier !== 'exists' && !conditionHolds(litmus, outcome),
    bounded: seen !== 'Sometimes' && troubles.some(({ kind }) => kind === 'bounded'),
    notes: [...warnings(litmus), ...troubleLines(litmus, outcome)],
    seconds,
    text: herdOutput(litmus, outcome),
    drawings: execution === null ? {} : draw(execution, `${litmus.name}, ${model}`, formats),
  };
}

const DRAW: Readonly<Record<DrawingFormat, (graph: ExecutionGraph) => string>> = {
  dot: executionDot,
  svg: executionSvg,
};

function draw(execution: Execution, what: string, formats: readonly DrawingFormat[]): LitmusFinding['drawings'] {
  const { skeleton, witness, locations, values, satisfies } = execution;
  const title = `${what}: ${satisfies ? 'the condition holds' : 'an execution'}`;
  const graph: ExecutionGraph = { skeleton, witness, title, locations, value: (_, event) => values[event] ?? '' };
  return Object.fromEntries(formats.map((format) => [format, DRAW[format](graph)]));
}
