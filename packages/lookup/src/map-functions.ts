// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import type { StaysInJavaScript } from '@lockless/native';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import { type ValueMap, valueMapLoad } from '@lockless/value-map/native';
import { rcuJavascript } from './rcu-javascript.js';

/*
 * What is exported here is translated, and runs in JavaScript where there is no WebAssembly.
 */

/**
 * The entry of an index of a map, in a section of its own: what it is may be known from the entry, but the value that it leads to may be gone.
 * *Context*: any. *Returns* 0 when there is none.
 */
export function mapPeek(map: Ptr<ValueMap>, index: number): number {
  rcuReadLock();
  const entry = valueMapLoad(map, index);
  rcuReadUnlock();
  return entry;
}

export const javascript: StaysInJavaScript = rcuJavascript;
