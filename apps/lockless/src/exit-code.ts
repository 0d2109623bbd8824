// SPDX-License-Identifier: MIT

/** What the process exits with. Scripts rely on these; `lockless --help` prints them. */
export const EXIT = {
  holds: 0,
  violated: 1,
  usage: 2,
  badInput: 3,
  bounded: 4,
  internal: 70,
  interrupted: 130,
} as const;

/** Wrong use of the command line: the message says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was named or given is not there or is malformed: the message says what was expected. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
