// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug } from '@lockless/cpu';

/** What a scenario claims of each execution. */
export function assertThat(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new KernelBug('assertion', claim);
}
