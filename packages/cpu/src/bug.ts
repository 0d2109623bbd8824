// SPDX-License-Identifier: MIT

/** A broken rule of kernel-side code, as an oops would report it. */
export class KernelBug extends Error {
  /** What kind of rule: stable, for tests and JSON. */
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = 'KernelBug';
    this.kind = kind;
  }
}

/** The error of a condition that is true. Apart from the conditions, which are many, and which a compiler writes out where they are asked. The stack does not show it. */
export function broken(kind: string, macro: string, what: string): never {
  const error = new KernelBug(kind, `${macro}(${what})`);
  Error.captureStackTrace?.(error, broken);
  throw error;
}

/** BUG_ON(): the condition must be false. `what` is the condition in words or in code. */
export function bugOn(condition: boolean, what: string): asserts condition is false {
  if (condition) broken('BUG', 'BUG_ON', what);
}

/** VM_BUG_ON(): as {@link bugOn}; on, as in a CONFIG_DEBUG_VM kernel. */
export function vmBugOn(condition: boolean, what: string): asserts condition is false {
  if (condition) broken('VM_BUG', 'VM_BUG_ON', what);
}

/** BUG(): unreachable. */
export function bug(what: string): never {
  throw new KernelBug('BUG', `BUG: ${what}`);
}
