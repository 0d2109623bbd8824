// SPDX-License-Identifier: GPL-2.0-only
import type { ModelName, Outcome } from '@lockless/checker';

/** See scenario.ts. */
export interface GuardClaim {
  readonly name: string;
  readonly without: Readonly<Record<ModelName, 'holds' | { readonly kind: string; readonly at?: string }>>;
}

/** A race of the catalogue, its program as plain functions. */
export interface Scenario<S = unknown> {
  readonly name: string;
  readonly setup: () => S;
  readonly threads: Readonly<Record<string, (shared: S) => unknown>>;
  readonly finally?: (shared: S, outcome: Outcome) => void;
  readonly mustReach?: readonly string[];
  readonly races?: 'report' | 'ignore';
  readonly leaks?: 'report' | 'ignore';
  readonly facts: readonly string[];
  readonly summary: string;
  readonly source: string;
  readonly properties: readonly string[];
  readonly guards: readonly GuardClaim[];
}

/** Declares a scenario, with the type of what its setup shares. */
export const scenario = <S>(declared: Scenario<S>): Scenario => declared as unknown as Scenario;
