// SPDX-License-Identifier: GPL-2.0-only
import { broken, code } from '@lockless/cpu/native';
import type { StaysInJavaScript } from '@lockless/native';

/** What RCU readers may come to and WebAssembly does not do: the message of a broken rule, and flavours that no native build has. */
export const rcuJavascript: StaysInJavaScript = {
  broken,
  rcuReadLockEvent: code('rcu_read_lock'),
  rcuReadUnlockEvent: code('rcu_read_unlock'),
};
