// SPDX-License-Identifier: MIT
import type { Rec } from '../format.js';
import { buffersOf } from './buffers.js';
import { DESCRIPTOR_CALLS } from './descriptor-calls.js';
import { IO_CALLS } from './io-calls.js';
import { MEMORY_CALLS } from './memory-calls.js';
import { NAME_CALLS } from './name-calls.js';
import { BLOCKING, BUFFERS } from './syscalls.js';
import type { CallContext, Translate } from './tasks.js';

const TRANSLATE: ReadonlyMap<string, Translate> = new Map(
  Object.entries({ ...MEMORY_CALLS, ...IO_CALLS, ...NAME_CALLS, ...DESCRIPTOR_CALLS }),
);

/**
 * The records of one system call. A call without a record of its own becomes `sync` when it may block, `call` when it is known
 * to touch user memory or the kernel faulted during it (`touched`), and nothing otherwise.
 */
export function translateCall(call: CallContext, touched: boolean): Rec[] {
  const records = TRANSLATE.get(call.name)?.(call) ?? null;
  if (records) return records;
  const buffers = buffersOf(BUFFERS[call.name], call);
  if (BLOCKING.has(call.name)) {
    return [{ kind: 'sync', ...call.span, call: call.name, object: waitsOn(call), result: call.result, buffers }];
  }
  if (!touched && !(call.name in BUFFERS)) return [];
  return [{ kind: 'call', ...call.span, call: call.name, result: call.result, buffers }];
}

function waitsOn(call: CallContext): string {
  if (call.name === 'futex') return `futex:${call.args.at(0).toString(16)}`;
  if (call.name === 'wait4' || call.name === 'waitid') return call.result > 0 ? `child:${call.result}` : '-';
  return '-';
}
