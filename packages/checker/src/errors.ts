// SPDX-License-Identifier: MIT

/**
 * - `unknown-site`     `without` names neither a guard nor an ordering site that occurs
 * - `malformed`        the program, an option or a module is not what it must be
 * - `setup`            boot code failed, so there is nothing to check
 * - `nondeterministic` a thread did something else when it read the same values
 * - `replay-mismatch`  a replay token does not fit the program
 * - `checkpoint`       a checkpoint is not of this program, or cannot be read
 */
export type CheckErrorCode =
  | 'unknown-site'
  | 'malformed'
  | 'setup'
  | 'nondeterministic'
  | 'replay-mismatch'
  | 'checkpoint';

/** Why there is no verdict: what was asked cannot be checked. Never a property of the program checked. */
export class CheckError extends Error {
  override readonly name = 'CheckError';
  readonly code: CheckErrorCode;

  constructor(code: CheckErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
