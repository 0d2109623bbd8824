// SPDX-License-Identifier: MIT
import type { Guard } from '@lockless/cpu';
import type { CheckCheckpoint } from './checkpoint.js';

export type ModelName = 'sc' | 'tso' | 'lkmm';

/** One kernel function on the stack of a step, innermost first. */
export interface StepFrame {
  readonly name: string;
  /** `file.ts:line`. */
  readonly location: string;
}

/** One access of a counterexample. */
export interface Step {
  /** From 1, in the order of the trace; {@link note} refers to it. */
  readonly number: number;
  /** Thread's name. */
  readonly thread: string;
  /** Position in its thread, from 1. Steps that do not matter to the violation are left out of a trace, so there are gaps. */
  readonly position: number;
  /** Ordering site: `<kernel function>.<primitive>`, with `#n` for the nth of its kind in the function. */
  readonly site: string;
  /** The access in words: `rcu_dereference(radix_tree_node1.slots[0]) = page7`, `atomic_cmpxchg(page7._count): 2 -> 0`. */
  readonly text: string;
  /** Where the value comes from, when that is not the latest store: `initial`, `lookup:3` (thread and position). */
  readonly from: string | null;
  /** What else to know of it: `does not see step 3`, `weakened to READ_ONCE`, `waits for ever`, `object freed in step 8`. */
  readonly note: string | null;
  /** Innermost first. */
  readonly frames: readonly StepFrame[];
}

export interface Violation {
  /** Stable name: `BUG`, `assertion`, `use-after-free`, `double-free`, `leak`, `data-race`, `deadlock`, `livelock`, `unreached`, ... */
  readonly kind: string;
  /** Kernel function or assertion in which it shows. */
  readonly at: string;
  readonly message: string;
  /**
   * The execution, in an order that explains it: each load comes after the store that it reads. Under SC it reads the latest one; under a weaker
   * model, where no such order exists, {@link Step.from} says what it reads.
   */
  readonly trace: readonly Step[];
  /** Threads that take part in the trace, in the order of their columns. */
  readonly threads: readonly string[];
  /** Which axiom of the model forbids this execution when the ordering sites that were left out are in place; null when none was left out. */
  readonly forbidden: string | null;
  /** Token for {@link CheckOptions.replay}: names steps, not numbers, so that it survives unrelated edits. */
  readonly replay: string;
}

/** An ordering site that took part: something `without` can name. */
export interface Site {
  /** As {@link Step.site}. */
  readonly name: string;
  /** The kernel's name of the primitive. */
  readonly primitive: string;
  /** `file.ts:line`. */
  readonly location: string;
  /** What dropping or weakening it turns it into: `READ_ONCE`, `nothing`, `atomic_cmpxchg_relaxed`. */
  readonly weaker: string;
}

export interface CheckResult {
  readonly scenario: string;
  readonly model: ModelName;
  /** Guards and ordering sites that were left out. */
  readonly without: readonly string[];
  /** `holds`: every execution was looked at. `bounded`: not every one, and none of them was wrong. */
  readonly verdict: 'holds' | 'violated' | 'bounded';
  /** What a bounded verdict was bounded by, in words; null otherwise. */
  readonly bound: string | null;
  /** One execution was followed, as a replay token says, and no other looked at. */
  readonly replayed: boolean;
  /** Complete executions, each counted once; of a violation, those before it. */
  readonly executions: number;
  /** Executions in which a thread waits for ever (or only until another execution, which is counted, serves it). */
  readonly blocked: number;
  /** Largest number of events of an execution, and threads. */
  readonly events: number;
  readonly threads: number;
  readonly seconds: number;
  readonly violation?: Violation;
  /** All that were found, {@link violation} first: more than one only with {@link CheckOptions.all}. */
  readonly violations?: readonly Violation[];
  /** Executions for each label that was reached. */
  readonly reached: Readonly<Record<string, number>>;
  /** Ordering sites that took part, by name. */
  readonly sites: readonly Site[];
  /** Of a check that was stopped: what {@link CheckOptions.resume} takes. */
  readonly checkpoint?: CheckCheckpoint;
  /** Guards that the program came to. */
  readonly guards: readonly Guard[];
}

export interface Progress {
  readonly executions: number;
  readonly blocked: number;
  /** Estimated complete executions in all, or null when there is no estimate yet. */
  readonly estimate: number | null;
  readonly seconds: number;
}

export interface CheckOptions {
  /** Default lkmm. */
  readonly model?: ModelName;
  /** Guards (see cpu's defineGuard) and ordering sites to leave out. */
  readonly without?: readonly string[];
  /** Events a thread may have; more is a bound. Default 10,000. */
  readonly maxEvents?: number;
  /** Executions after which to stop, as a bound. Default: none. */
  readonly maxExecutions?: number;
  /** Go on after the first violation, and collect one of each kind and function. */
  readonly all?: boolean;
  /** Repeat one violation: its {@link Violation.replay}. */
  readonly replay?: string;
  /** Go on from where a check of the same program, with the same options, stopped: its {@link CheckResult.checkpoint}. */
  readonly resume?: CheckCheckpoint;
  /** Called now and then, a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops early, as a bound. */
  readonly signal?: AbortSignal;
}
