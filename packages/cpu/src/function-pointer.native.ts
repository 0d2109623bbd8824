// SPDX-License-Identifier: MIT
import { bug } from './bug.js';
import { cpuSegment, SEGMENT_IDS, type Segment } from './memory.js';

declare const callee: unique symbol;
/** A word that names a function (or a table of functions): what a C function pointer is. Never 0, and the same number in every thread. */
export type FunctionPointer<F> = number & { readonly [callee]: F };

interface Target {
  readonly name: string;
  readonly target: unknown;
}

/** By segment, then in the order of definition. */
const tables: Target[][] = [[{ name: 'NULL', target: null }]];

/** The functionPointer() of one package: takes the address of a function (or operations table), at module load. */
export function functionPointers(segment: Segment): <F>(name: string, target: F) => FunctionPointer<F> {
  const table = (tables[segment.number] ??= []);
  return <F>(name: string, target: F) => {
    if (table.length === SEGMENT_IDS)
      throw new Error(`${segment.packageName} has more than ${SEGMENT_IDS} function pointers`);
    table.push({ name, target });
    return (segment.number * SEGMENT_IDS + table.length - 1) as FunctionPointer<F>;
  };
}

export const functionPointer: <F>(name: string, target: F) => FunctionPointer<F> = functionPointers(cpuSegment);

const find = (pointer: number): Target | undefined => tables[pointer >> 10]?.[pointer & (SEGMENT_IDS - 1)];

/** What the pointer points to. BUG on a null or wild one, which a package that this thread has not loaded makes it, too. */
export function pointedFunction<F>(pointer: FunctionPointer<F>): F {
  const found = pointer > 0 ? find(pointer) : undefined;
  if (found === undefined) bug(`call through function pointer ${pointer}`);
  return found.target as F;
}

/** Its name, for reports. */
export const functionName = (pointer: number): string => find(pointer)?.name ?? `function#${pointer}`;
