// SPDX-License-Identifier: GPL-2.0-only

/** What can go wrong with a map, one word each: stable, for programs that react to it. Wrong keys are a RangeError, wrong values a TypeError. */
export type SharedMapErrorCode =
  /** The memory is used up. The map is as it was before the call. */
  | 'ERR_OUT_OF_MEMORY'
  /** What attach() was given is no handle of a map. */
  | 'ERR_NOT_A_MAP'
  /** This thread takes part in another machine. */
  | 'ERR_OTHER_MACHINE'
  /** The map was detached from this thread. */
  | 'ERR_DETACHED';

export class SharedMapError extends Error {
  readonly code: SharedMapErrorCode;
  constructor(code: SharedMapErrorCode, message: string) {
    super(message);
    this.name = 'SharedMapError';
    this.code = code;
  }
}
