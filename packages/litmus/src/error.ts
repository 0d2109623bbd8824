// SPDX-License-Identifier: MIT
import type { Position } from './ast.js';

/** A piece of source, for error messages. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** A litmus test that cannot be read or run. The message begins with `file:line:column` and shows the line with a caret. */
export class LitmusError extends Error {
  override readonly name = 'LitmusError';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, or what was expected and found; without place and excerpt. */
  readonly problem: string;

  constructor(source: Source, at: Position, problem: string) {
    super(`${source.file}:${at.line}:${at.column}: ${problem}\n${excerpt(source.text, at)}`);
    this.file = source.file;
    this.line = at.line;
    this.column = at.column;
    this.problem = problem;
  }
}

/** Longest part of a line that is shown. */
const WIDTH = 120;

function excerpt(text: string, { line, column }: Position): string {
  const whole = text.split('\n')[line - 1] ?? '';
  const from = column > WIDTH ? column - WIDTH / 2 : 0;
  // A tab stays a tab in both lines, and anything else that would move the cursor is a space, so that the caret stands right.
  const shown = whole
    .slice(from, from + WIDTH)
    .replace(/\r$/, '')
    .replace(/[^\t\P{C}]/gu, ' ');
  const margin = `${line} | `;
  const indent = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  return `  ${margin}${shown}\n  ${' '.repeat(margin.length - 2)}| ${indent}^`;
}
