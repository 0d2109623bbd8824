// SPDX-License-Identifier: MIT

/** What can go wrong with a machine, one word each: stable, for programs that react to it. */
export type NativeErrorCode =
  /** The words are not in a SharedArrayBuffer, so no other thread could see them. */
  | 'ERR_NOT_SHARED'
  /** What was given is no handle of a machine, or its memory holds none. */
  | 'ERR_NOT_A_MACHINE'
  /** The machine was made by another version of this package. */
  | 'ERR_VERSION'
  /** Two threads have different static data in the same place: they loaded different versions of a package. */
  | 'ERR_LAYOUT'
  /** All slots for threads are taken. */
  | 'ERR_TOO_MANY_THREADS'
  /** The memory is too small, or used up. */
  | 'ERR_OUT_OF_MEMORY'
  /** This thread is attached to a machine already, or to none. */
  | 'ERR_ATTACHED'
  /** A wait that would block a thread that must not be blocked. */
  | 'ERR_MUST_NOT_BLOCK'
  /** The holder of a lock died, and nobody knows how to repair what the lock protects. */
  | 'ERR_OWNER_DIED'
  /** The holder of a lock has given no sign of life for long. */
  | 'ERR_OWNER_SILENT';

/** An error of the machine, not of kernel-side code (which is a KernelBug). */
export class NativeError extends Error {
  readonly code: NativeErrorCode;
  constructor(code: NativeErrorCode, message: string) {
    super(message);
    this.name = 'NativeError';
    this.code = code;
  }
}
