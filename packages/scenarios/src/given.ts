// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null } from '@lockless/cpu';

/** What an allocation at boot gave. Throws RangeError when there was nothing to give. */
export function given<T extends number>(value: T | Null): T {
  if (value === NULL) throw new RangeError('the scenario does not fit into its memory');
  return value as T;
}
