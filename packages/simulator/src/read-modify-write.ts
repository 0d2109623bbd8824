// SPDX-License-Identifier: MIT
import * as C from './codes.js';
import type { Memory } from './memory/memory.js';

/** Performs a read-modify-write on the memory of the current CPU; returns what its caller gets. */
export function readModifyWrite(
  memory: Memory,
  code: number,
  address: number,
  operand: number,
  expected: number,
): unknown {
  const old = memory.latest(address);
  const stored = storedValue(C.OPERATION[code], old, operand);
  const operation = C.OPERATION[code];
  const success =
    operation === C.OPERATION_CMPXCHG ? old === expected : operation !== C.OPERATION_ADD_UNLESS || old !== expected;
  if (success) memory.modify(address, stored, C.ORDER[code]);
  else memory.failed(address);
  switch (C.RESULT[code]) {
    case C.RESULT_OLD:
      return old;
    case C.RESULT_NEW:
      return stored;
    case C.RESULT_ZERO:
      return stored === 0;
    case C.RESULT_NEGATIVE:
      return stored < 0;
    case C.RESULT_BITS:
      return (old & expected) !== 0;
    case C.RESULT_SUCCESS:
      return success;
    default:
      return undefined;
  }
}

function storedValue(operation: number, old: number, operand: number): number {
  switch (operation) {
    case C.OPERATION_ADD:
    case C.OPERATION_ADD_UNLESS:
      return (old + operand) | 0;
    case C.OPERATION_AND:
      return old & operand;
    case C.OPERATION_OR:
      return old | operand;
    case C.OPERATION_XOR:
      return old ^ operand;
    default:
      return operand;
  }
}
