// SPDX-License-Identifier: MIT
import type { Checkpoint } from './explore/checkpoint.js';
import type { Tally } from './exploring.js';
import type { CheckOptions } from './result.js';

/** Where a program can be loaded from, in any thread: functions cannot be sent there. */
export interface ProgramSource {
  /** URL of a module. */
  readonly module: string;
  /** The program's name: it is exported by the module, or in an array that is. */
  readonly name: string;
  /** Module that is imported before it, for what it does: hooks of the module loader are those of one thread. */
  readonly before?: string;
}

/** What a thread is started with. */
export interface WorkerData {
  readonly source: ProgramSource;
  readonly options: Pick<CheckOptions, 'model' | 'without' | 'maxEvents'>;
}

/** To a thread: explore this part; or give some of the work away. */
export type Request = { readonly explore: Checkpoint } | { readonly split: true };

/** From a thread. */
export type Report =
  | { readonly type: 'progress'; readonly executions: number; readonly blocked: number }
  /** Work that it gives away, or null. */
  | { readonly type: 'given'; readonly part: Checkpoint | null }
  /** Its part is done. `violated`: something is wrong, and nothing else counts. `voided`: begin anew, from there. */
  | {
      readonly type: 'done';
      readonly tally: Tally;
      readonly violated: boolean;
      readonly voided: Checkpoint | null;
      readonly moved: boolean;
    }
  | { readonly type: 'failed'; readonly code: string | null; readonly message: string };
