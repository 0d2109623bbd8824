// SPDX-License-Identifier: GPL-2.0-only
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '@lockless/mm';

/** `rw-` as PROT_* bits. */
export const protBits = (prot: string): number =>
  (prot.includes('r') ? PROT_READ : 0) | (prot.includes('w') ? PROT_WRITE : 0) | (prot.includes('x') ? PROT_EXEC : 0);

/**
 * The recording's mmap flags as MAP_* bits. Always MAP_FIXED: the place is the recorded one. MAP_POPULATE goes with the touches that the
 * kernel made then.
 */
export function mapBits(flags: readonly string[]): number {
  const shared = flags.some((flag) => flag === 'shared' || flag === 'shared_validate');
  return (
    MAP_FIXED |
    (shared ? MAP_SHARED : MAP_PRIVATE) |
    (flags.includes('anonymous') ? MAP_ANONYMOUS : 0) |
    (flags.includes('growsdown') ? MAP_GROWSDOWN : 0)
  );
}
