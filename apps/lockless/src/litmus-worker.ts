// SPDX-License-Identifier: MIT
import { type LitmusOptions, type LitmusRun, runLitmus } from './litmus-run.js';

export interface LitmusTask {
  readonly file: string;
  readonly options: LitmusOptions;
}

/** What a thread of the pool does with a task. */
export function work({ file, options }: LitmusTask): LitmusRun {
  return runLitmus(file, options);
}
