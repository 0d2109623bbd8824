// SPDX-License-Identifier: MIT
import { defineWord, peek, poke } from './memory.js';
import type { Ref } from './word.js';

/** A step of a protocol that can be left out on purpose, so that a checker or a simulator proves that it finds what the step prevents. */
export interface Guard {
  /** `<function>.<what it does>`, for example `findGetPage.slotRecheck`. */
  readonly name: string;
  /** What the code does without it, in one line. */
  readonly without: string;
}

const table: { readonly guard: Guard; readonly omitted: Ref<number> }[] = [];

/**
 * Names a guard, at module load. The function it returns tells whether the guard is in force, which it is unless {@link omitGuards} took it
 * away from this machine at boot. Throws Error when the name is taken.
 */
export function defineGuard(name: string, without: string): () => boolean {
  if (table.some(({ guard }) => guard.name === name)) throw new Error(`guard ${name} is defined twice`);
  const omitted = defineWord(`guard ${name}`);
  table.push({ guard: { name, without }, omitted });
  return () => peek(omitted) === 0;
}

/** All guards of the modules that are loaded, in the order of their definition. */
export const guards = (): readonly Guard[] => table.map(({ guard }) => guard);

/** Takes guards away. Boot code only. Throws RangeError on an unknown name. */
export function omitGuards(names: readonly string[]): void {
  for (const name of names) {
    const found = table.find(({ guard }) => guard.name === name);
    if (found === undefined)
      throw new RangeError(`unknown guard '${name}': one of ${table.map(({ guard }) => guard.name).join(', ')}`);
    poke(found.omitted, 1);
  }
}
