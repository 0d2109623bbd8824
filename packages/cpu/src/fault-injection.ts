// SPDX-License-Identifier: MIT

/** What can be made to fail: an allocation, a disk transfer, one that writes (the disk is full), a sleep that a signal ends. */
export type FaultKind = 'enomem' | 'eio' | 'enospc' | 'signal';

const never = (): boolean => false;

/** Asked by code that can fail, each time it is about to succeed; true: fail now. Nothing fails unless {@link setFaultInjector} was called. */
export let shouldFail: (kind: FaultKind) => boolean = never;

/** Decides from now on; null: nothing fails. Returns what decided before, so that it can be put back. */
export function setFaultInjector(injector: ((kind: FaultKind) => boolean) | null): (kind: FaultKind) => boolean {
  const before = shouldFail;
  shouldFail = injector ?? never;
  return before;
}
