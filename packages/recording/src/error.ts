// SPDX-License-Identifier: MIT

/** A recording that cannot be read. `message` is `file:line: expected ..., got ...`; line 0 means the file as a whole. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  readonly code = 'ERR_RECORDING';
  readonly file: string;
  /** 1-based line of the uncompressed text, or 0 for the file as a whole. */
  readonly line: number;
  readonly expected: string;
  readonly got: string;

  constructor(file: string, line: number, expected: string, got: string) {
    super(`${file}${line > 0 ? `:${line}` : ''}: expected ${expected}, got ${got}`);
    this.file = file;
    this.line = line;
    this.expected = expected;
    this.got = got;
  }
}

/** Why a program could not be recorded. */
export type RecorderFailure =
  | 'not-root'
  | 'unsupported-machine'
  | 'no-tracefs'
  | 'no-strace'
  | 'command-not-found'
  | 'cannot-write'
  | 'lost-events'
  | 'missed-exec'
  | 'trace-mismatch'
  | 'interrupted'
  | 'failed';

/** The recorder could not do its work. The message says what to do about it; `failure` is for programs. */
export class RecorderError extends Error {
  override readonly name = 'RecorderError';
  readonly code = 'ERR_RECORDER';
  readonly failure: RecorderFailure;

  constructor(failure: RecorderFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** Text from an untrusted file, fit to stand in a one-line message. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return JSON.stringify(shown);
}
