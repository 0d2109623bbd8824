// SPDX-License-Identifier: GPL-2.0-only

/** Something that is measured, in a thread of its own. */
export interface Subject {
  /** Does `n` operations, from the operation with that number on. *Returns* the sum of what they found, modulo 2^32. */
  run(first: number, n: number): number;
  /** The sum that those operations must find. Absent: `run` itself sees to it that they are right. */
  expected?(first: number, n: number): number;
  /** What it has counted so far. Of the result nobody sees but how much it grew while it was measured. */
  counts?(): Readonly<Record<string, number>>;
  close?(): void | Promise<void>;
}

/** Names of the files in `subjects/`. */
export type SubjectModule =
  | 'access'
  | 'arithmetic'
  | 'bundled'
  | 'by-hand'
  | 'file-reader'
  | 'lmdb'
  | 'map'
  | 'native'
  | 'object-buffer'
  | 'shared-map'
  | 'sharedmap'
  | 'wasm'
  | 'writer';

/** How a thread makes a subject: the module to import, and what its `start` is given. */
export interface SubjectSource {
  readonly module: SubjectModule;
  /** Structured-cloneable. */
  readonly options: unknown;
}

/** What a module in `subjects/` exports. Throws {@link Unavailable} when it cannot run here. */
export type StartSubject<O> = (options: O) => Subject | Promise<Subject>;

/** Why something is not measured here: a package that is not installed, for example. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
