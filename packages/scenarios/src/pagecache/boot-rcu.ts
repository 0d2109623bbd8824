// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { configureKernel } from '@lockless/cpu';
import { bootRcuEvents } from '@lockless/rcu';

/** Grace periods are events of the memory model, and whoever uses RCU outside of a reader is found. */
export function* bootRcu(): Op<void> {
  configureKernel({ proveRcu: true });
  bootRcuEvents();
}
