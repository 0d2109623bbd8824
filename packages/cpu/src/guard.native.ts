// SPDX-License-Identifier: MIT

/** A step of a protocol that can be left out on purpose; see guard.ts. Natively it can be left out when the module is loaded, and not later. */
export interface Guard {
  readonly name: string;
  readonly without: string;
}

const table: Guard[] = [];
interface Surroundings {
  /** Names that a native build is to do without, for tests: `globalThis.locklessWithout = ['findGetPage.slotRecheck']` before it is loaded. */
  readonly locklessWithout?: readonly string[];
  /** Is told of a guard whenever it is asked for, for tests: `globalThis.locklessOnGuard`, set before it is loaded. */
  readonly locklessOnGuard?: (name: string) => void;
}

const { locklessWithout: omitted = [], locklessOnGuard } = globalThis as Surroundings;

const inForce = (): boolean => true;
const leftOut = (): boolean => false;

/** Names a guard, at module load. It takes no word, and the function it returns is constant, so a compiler folds it away. */
export function defineGuard(name: string, without: string): () => boolean {
  if (table.some((guard) => guard.name === name)) throw new Error(`guard ${name} is defined twice`);
  table.push({ name, without });
  const guard = omitted.includes(name) ? leftOut : inForce;
  return locklessOnGuard === undefined ? guard : watched(name, guard, locklessOnGuard);
}

const watched = (name: string, guard: () => boolean, onGuard: (name: string) => void) => (): boolean => {
  onGuard(name);
  return guard();
};

/** All guards of the modules that are loaded, in the order of their definition. */
export const guards = (): readonly Guard[] => table;

/** Checks that these guards are left out, as {@link defineGuard} saw it. Throws RangeError for one that is in force: that cannot change any more. */
export function omitGuards(names: readonly string[]): void {
  const inForceYet = names.filter((name) => !omitted.includes(name));
  if (inForceYet.length > 0)
    throw new RangeError(
      `guard ${inForceYet.join(', ')}: natively it is left out by globalThis.locklessWithout, before the module that defines it is loaded`,
    );
}
