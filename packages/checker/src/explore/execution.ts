// SPDX-License-Identifier: MIT
import type { Op, Ordering } from '@lockless/cpu';
import type { Skeleton, Witness } from '@lockless/memory-model';

/** A frame of a captured call stack. Positions are those of the code that runs (compiled, if it was compiled). */
export interface Frame {
  /** Function's name; empty for anonymous ones. */
  readonly name: string;
  /** Path or URL of the module. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Where an access is in the code: what `without` chooses by. One object for all accesses with the same call stack and primitive. */
export interface AccessSite {
  /** Row of the primitive table. */
  readonly code: number;
  /** Kernel functions on the stack, innermost first. */
  readonly frames: readonly Frame[];
}

/** One event of an execution, as a report needs it. */
export interface ExecutionEvent {
  /** Number of its thread: position in {@link Execution.threads}. */
  readonly thread: number;
  /** Position among the events of its thread, from 0. */
  readonly position: number;
  readonly site: AccessSite;
  readonly code: number;
  /** What it orders, after weakening. */
  readonly order: Ordering;
  readonly weakened: boolean;
  /** Word address, task, cache or callback head: as in the access. */
  readonly address: number;
  readonly operand: number;
  readonly expected: number;
  /** Value that its load part read; null when it does not read. */
  readonly read: number | null;
  /** Value that its store part wrote; null when it does not write (a failed cmpxchg, a load). */
  readonly written: number | null;
  /** The event it reads from, by position in {@link Execution.events}; 'initial' for what setup left; null when it does not read. */
  readonly readsFrom: number | 'initial' | null;
  /** Whether that is the coherence-latest store of the execution. */
  readonly readsLatest: boolean;
  /** What the code was given: the result of the `yield*`. */
  readonly result: unknown;
}

export interface ExecutionThread {
  readonly name: string;
  /** CPU it runs on. */
  readonly cpu: number;
  /** The CALL_RCU that started it, by position in {@link Execution.events}; null for the program's own threads. */
  readonly startedBy: number | null;
  readonly ended: boolean;
  /** What it returned, when it has ended. */
  readonly result: unknown;
}

/** Why a thread of an execution does not go on. */
export interface BlockedThread {
  readonly thread: number;
  /** A lock is held, nobody wakes a sleeper, a loop that only reads goes round, a grace period has to wait for a reader that is blocked. */
  readonly reason: 'lock' | 'sleep' | 'spin' | 'grace-period';
  readonly site: AccessSite;
  /** The lock, the task's state, or the first word that the loop reads. */
  readonly address: number;
  /** Events of the last round of the loop, or of what it last read. */
  readonly loads: readonly number[];
}

/**
 * One execution graph. It is a view of the explorer's state, so it is valid during the callback only: read what you need.
 */
export interface Execution {
  readonly threads: readonly ExecutionThread[];
  /** All events, each after its program-order predecessor and after what it reads from. */
  readonly events: readonly ExecutionEvent[];
  /** Stores to a word in coherence order, by position in {@link events}. */
  coherence(address: number): readonly number[];
  /** An order of all events that explains the execution: one that the model's order (as far as it is acyclic) respects. */
  explain(): readonly number[];
  /** The graph as the memory model sees it. `origin[i]` is the position in {@link events} of the model's event i, -1 for initial stores. */
  graph(): { readonly skeleton: Skeleton; readonly witness: Witness; readonly origin: Int32Array };
  /** What a word holds when all is over: its coherence-latest store. */
  finalWord(address: number): number;
  /** What setup left in a word. */
  initialWord(address: number): number;
  /** What the object or word at an address is called: `page@4096._count`. */
  describe(address: number): string;
  /** Runs code alone on the final memory; memory is put back. Throws what the code throws ({@link KernelBug}). */
  runOnFinalMemory<T>(op: Op<T>): T;
}

/** Something wrong that the explorer itself finds. */
export interface ExplorationError {
  /** KernelBug's kind, or `use-after-free`, `double-free`, `data-race`, `unsupported`. */
  readonly kind: string;
  readonly message: string;
  /** Thread in which it shows. */
  readonly thread: number;
  /** Where the thread was: the access it was about to make, or its last. Null when it had made none. */
  readonly site: AccessSite | null;
  /** Events that clash, by position in {@link Execution.events}. */
  readonly events: readonly number[];
  /** What the thread threw, with its JavaScript stack. */
  readonly cause: unknown;
}
