// SPDX-License-Identifier: GPL-2.0-only
import type { ModelName, Program } from '@lockless/checker';

/** What a guard or ordering site prevents. */
export interface GuardClaim {
  /** A guard (cpu's defineGuard) or an ordering site (`<kernel function>.<primitive>`), as `--without` takes it. */
  readonly name: string;
  /** What is found without it, under each model; `holds` where it is not needed. */
  readonly without: Readonly<Record<ModelName, 'holds' | { readonly kind: string; readonly at?: string }>>;
}

/** A race of the catalogue. */
export interface Scenario<S = unknown> extends Program<S> {
  /** Unique; kebab case; what `lockless check` takes. */
  readonly name: string;
  /** Rows of the researched catalogue: `A7`, `B1`, ... or `seed 1`. */
  readonly facts: readonly string[];
  /** One sentence: who races with whom over what. */
  readonly summary: string;
  /** Commit, mail or document in which the race was described. */
  readonly source: string;
  /** Properties of the list I1-I12 that it checks. */
  readonly properties: readonly string[];
  readonly guards: readonly GuardClaim[];
}

/** Declares a scenario, with the type of what its setup shares. */
export const scenario = <S>(declared: Scenario<S>): Scenario => declared as unknown as Scenario;
