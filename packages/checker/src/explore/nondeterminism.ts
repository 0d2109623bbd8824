// SPDX-License-Identifier: MIT

/** The code did something else than before, although it was given the same values. */
export class Nondeterminism extends Error {
  constructor(access: string) {
    super(`thread code is not a function of what it reads: at ${access} it did something else before`);
    this.name = 'Nondeterminism';
  }
}
