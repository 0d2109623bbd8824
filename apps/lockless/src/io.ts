// SPDX-License-Identifier: MIT
import type { Writable } from 'node:stream';
import { EXIT } from './exit-code.js';

/** Where text goes; a terminal knows that it is one. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number | undefined };

/** The command line's surroundings: those of the process, or a test's. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at the first Ctrl-C. Returns how not to be called any more. */
  readonly onInterrupt: (listener: () => void) => () => void;
}

/** What a command hands its exit code to. */
export type Exit = (code: number) => void;

/**
 * Those of this process. A second Ctrl-C ends it at once. The listener stays after the first one: what restores the cursor of the terminal listens
 * too, and ends the process when it finds itself alone.
 */
export const processIo: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt: (listener) => {
    let interrupted = false;
    const onSignal = (): void => {
      if (interrupted) process.exit(EXIT.interrupted);
      interrupted = true;
      listener();
    };
    process.on('SIGINT', onSignal);
    return () => process.off('SIGINT', onSignal);
  },
};
