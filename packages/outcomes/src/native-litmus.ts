// SPDX-License-Identifier: GPL-2.0-only
import type { Litmus } from '@lockless/litmus';
import { classify, expectedOutcomes, type OutcomeRow } from './classify.js';
import { type Build, Crew, type RunOptions } from './crew.js';
import { INSTANCES, litmusOutWords, litmusWords } from './litmus-cases.js';
import { litmusCode, NotNative } from './litmus-code.js';
import type { TableName } from './primitives.js';
import { FREE_WORDS } from './thread-engine.js';

/** Words of variables, and of registers, that all instances of a test may have together. */
const MAX_WORDS = 1 << 22;

export interface NativeOptions extends RunOptions {
  /** Default: fast. */
  readonly table?: TableName;
  /** Primitives of the table to replace by what orders nothing: is it noticed? */
  readonly weakened?: readonly string[];
  /** Default: 1. What threads do follows from it, but for when they do it. */
  readonly seed?: number;
}

/** What a litmus test showed natively. */
export interface NativeOutcome {
  readonly table: TableName;
  readonly weakened: readonly string[];
  readonly seed: number;
  /** Instances that were run to their end. */
  readonly instances: number;
  readonly givenUp: number;
  readonly seconds: number;
  readonly rows: readonly OutcomeRow[];
  /** Of the times that a thread waited for another one, how often that one came. */
  readonly met: number;
  /** Whether no forbidden outcome was seen. */
  readonly holds: boolean;
}

/** Runs litmus tests on threads. */
export class NativeLitmus {
  private readonly crews: Map<Build, Crew> = new Map();

  /** Throws NotNative, with the reason, for a test that has no native form, or nothing to show. */
  async run(litmus: Litmus, options: NativeOptions = {}): Promise<NativeOutcome> {
    const { table = 'fast', weakened = [], seed = 1 } = options;
    const code = litmusCode(litmus);
    if (litmusWords(code) > MAX_WORDS || litmusOutWords(code) > MAX_WORDS)
      throw new NotNative('it has too many variables or registers');
    const expected = expectedOutcomes(litmus);
    if (!expected.ends) throw new NotNative('no execution of it ends');
    const seen = await this.crew(table === 'strict' ? 'strict' : 'fast').run(
      { kind: 'litmus', code, table, weakened, seed },
      { threads: code.threads.length, instances: INSTANCES },
      options,
    );
    const rows = classify(litmus, expected, seen);
    const instances = [...seen.outcomes.values()].reduce((sum, count) => sum + count, 0);
    // Of a batch that never ends nothing is known.
    const givenUp = seen.givenUp + (seen.stuck === null ? 0 : INSTANCES);
    const { seconds, met } = seen;
    const holds = rows.every(({ kind }) => kind !== 'forbidden');
    return { table, weakened, seed, instances, givenUp, seconds, rows, met, holds };
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    for (const crew of this.crews.values()) await crew.end();
  }

  private crew(build: Build): Crew {
    const known =
      this.crews.get(build) ?? new Crew({ build, memory: 4 * (FREE_WORDS + MAX_WORDS), out: 4 * MAX_WORDS });
    this.crews.set(build, known);
    return known;
  }
}
