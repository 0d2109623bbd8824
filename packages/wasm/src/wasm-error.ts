// SPDX-License-Identifier: MIT

/** Source that is not of the subset. The message begins with `file:line:column:`. */
export class WasmError extends Error {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  constructor(file: string, line: number, column: number, message: string) {
    super(`${file}:${line}:${column}: ${message}`);
    this.name = 'WasmError';
    this.file = file;
    this.line = line;
    this.column = column;
  }
}
