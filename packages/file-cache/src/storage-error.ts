// SPDX-License-Identifier: GPL-2.0-only

/** What goes wrong in a storage of this package, with the code that Node's file system would give it. */
export class StorageError extends Error {
  override readonly name: string = 'StorageError';
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** Browsers name their errors; Node's codes are what programs, and the cache itself, look at. */
const CODES: Readonly<Record<string, string>> = {
  NotFoundError: 'ENOENT',
  TypeMismatchError: 'EISDIR',
  NoModificationAllowedError: 'EBUSY',
  NotAllowedError: 'EACCES',
  SecurityError: 'EACCES',
  QuotaExceededError: 'ENOSPC',
};

/** An error of a browser's file system, with a code. One that has a code stays as it is. */
export function withCode(thrown: unknown, what: string): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const { name = '', message = String(thrown) } = thrown as { readonly name?: string; readonly message?: string };
  return new StorageError(CODES[name] ?? 'EIO', `${message}, ${what}`, { cause: thrown });
}
