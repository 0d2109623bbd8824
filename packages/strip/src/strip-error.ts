// SPDX-License-Identifier: MIT

/** Something that cannot be translated, and where. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is there, and what was expected instead. */
  readonly message: string;
}

/** Source that has no native form: every problem that was found in it. The message has one line `file:line:column: ...` for each. */
export class StripError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join('\n'));
    this.name = 'StripError';
    this.problems = problems;
  }
}
