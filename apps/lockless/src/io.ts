// SPDX-License-Identifier: MIT
import type { Writable } from 'node:stream';

/** Where text goes; a terminal knows that it is one. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** The command line's surroundings: those of the process, or a test's. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at the next Ctrl-C, once. Returns how not to be called any more. */
  readonly onInterrupt: (listener: () => void) => () => void;
}

/** What a command hands its exit code to. */
export type Exit = (code: number) => void;

/** Those of this process. After one Ctrl-C the next has its usual effect: the process ends at once. */
export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt: (listener) => {
    process.once('SIGINT', listener);
    return () => process.off('SIGINT', listener);
  },
};
