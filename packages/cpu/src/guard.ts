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

interface Entry {
  readonly guard: Guard;
  readonly omitted: Ref<number>;
  /** Since the last {@link takeAskedGuards}. */
  asked: boolean;
}

const table: Entry[] = [];

/**
 * Names a guard, at module load. The function it returns tells whether the guard is in force, which it is unless {@link omitGuards} took it
 * away from this machine at boot. Throws Error when the name is taken.
 */
export function defineGuard(name: string, without: string): () => boolean {
  if (table.some(({ guard }) => guard.name === name)) throw new Error(`guard ${name} is defined twice`);
  const omitted = defineWord(`guard ${name}`);
  const entry: Entry = { guard: { name, without }, omitted, asked: false };
  table.push(entry);
  return () => {
    entry.asked = true;
    return peek(omitted) === 0;
  };
}

/** All guards of the modules that are loaded, in the order of their definition. */
export const guards = (): readonly Guard[] => table.map(({ guard }) => guard);

/** The guards that code came to since the last call, in the order of their definition. For engines: which guards take part in a program. */
export function takeAskedGuards(): Guard[] {
  const asked = table.filter((entry) => entry.asked);
  for (const entry of asked) entry.asked = false;
  return asked.map(({ guard }) => guard);
}

/** Takes guards away. Boot code only. Throws RangeError on an unknown name. */
export function omitGuards(names: readonly string[]): void {
  for (const name of names) {
    const found = table.find(({ guard }) => guard.name === name);
    if (found === undefined)
      throw new RangeError(`unknown guard '${name}': one of ${table.map(({ guard }) => guard.name).join(', ')}`);
    poke(found.omitted, 1);
  }
}
