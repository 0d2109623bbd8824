// SPDX-License-Identifier: MIT
import type { Program } from '../program.js';
import type { ModelName } from '../result.js';
import type { Checkpoint } from './checkpoint.js';
import type { AccessSite, BlockedThread, Execution, ExplorationError } from './execution.js';
import type { OpenLoop } from './loops.js';
import { ProgramExplorer } from './program-explorer.js';
import type { RevisitRules } from './revisit.js';
import type { Weakening } from './scope.js';
import type { Steering } from './steered.js';

/** What to explore, and who is told. A callback that returns true stops the exploration for good. */
export interface ExploreOptions<S> {
  readonly program: Program<S>;
  readonly model: ModelName;
  /** The accesses whose ordering is left out; see {@link weakerForm} for what that makes of them. Default: none. */
  readonly weaken?: Weakening;
  /** Events a thread may have. Default 10,000. */
  readonly maxEvents?: number;
  /** Report data races of plain accesses (costs time on each complete execution). */
  readonly races?: boolean;
  /** Each complete, consistent execution, once. */
  readonly onExecution?: (execution: Execution) => unknown;
  /**
   * Each execution in which threads wait and nobody is left to run. `stuck`: all of the waiting loads read the latest stores, so that this is
   * how it stays (deadlock, lost wake-up, livelock); otherwise the wait is superseded by another execution, which is explored.
   */
  readonly onBlocked?: (execution: Execution, blocked: readonly BlockedThread[], stuck: boolean) => unknown;
  /** Each error; without this callback the first one is kept in {@link Explorer.error} and stops the exploration. */
  readonly onError?: (error: ExplorationError, execution: Execution) => unknown;
  /** What was told so far is void: the exploration begins anew, with the same numbers to come. */
  readonly onRestart?: () => void;
  /** Make every word a shared one, also those that no two threads use. For tests. */
  readonly shareAll?: boolean;
  /** Go on from there, with the same program, model and weakening. */
  readonly resume?: Checkpoint;
  /** Rules of the algorithm to leave out. For tests that have to notice. */
  readonly breakRules?: Partial<RevisitRules>;
}

export interface ExploreCounts {
  /** Complete, consistent executions. */
  executions: number;
  /** Executions in which a thread waits in the end. */
  blocked: number;
  /** Complete graphs that only the RCU axiom excluded, found when they were complete. */
  rejected: number;
  /** Executions that ended in an error. */
  errors: number;
  /** Executions cut because a thread had too many events. */
  bounded: number;
  /** Most events of one execution. */
  events: number;
  /** Times that the exploration began anew because a location turned out to be shared. */
  restarts: number;
}

/** An exploration that runs in slices. */
export interface Explorer {
  readonly counts: Readonly<ExploreCounts>;
  /** All is explored, or a callback stopped it. */
  readonly done: boolean;
  readonly stopped: boolean;
  readonly error: ExplorationError | null;
  /** Loops of which more rounds than were explored would have mattered, so that not everything was looked at. */
  openLoops(): readonly { readonly site: AccessSite; readonly open: OpenLoop }[];
  /** Sites met so far. */
  sites(): readonly AccessSite[];
  /** Fraction of the tree of explorations that is done, as far as the tree is known; from 0 to 1. */
  progress(): number;
  /** What `setup` returned. */
  readonly shared: unknown;
  /** Where it stands: to be resumed later, or elsewhere. JSON. */
  checkpoint(): Checkpoint;
  /**
   * Gives part of the work that is left away, to be resumed by another explorer; null if there is not enough. The counts of both add up. But if the
   * other explorer is {@link voided}, all is.
   */
  split(): Checkpoint | null;
  /**
   * It was resumed from a checkpoint, and found out that the program has to be explored in another way: nothing of that exploration counts, of this
   * explorer or of those that it shares the work with. Its {@link checkpoint} is the beginning of the right one.
   */
  readonly voided: boolean;
  /** Explores for that long, about; returns {@link done}. */
  run(milliseconds?: number): boolean;
  /** Follows one execution, in place of {@link run}, and tells how it ends. Throws what the steering throws. */
  follow(steering: Steering): void;
}

/** Starts the exploration of a program: runs its setup. Nothing else happens before {@link Explorer.run}. */
export function explore<S>(options: ExploreOptions<S>): Explorer {
  return new ProgramExplorer(options as unknown as ExploreOptions<unknown>);
}
