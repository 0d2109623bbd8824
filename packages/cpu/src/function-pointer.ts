// SPDX-License-Identifier: MIT
import { bugOn } from './bug.js';

declare const callee: unique symbol;
/** A word that names a function (or a table of functions): what a C function pointer is. Never 0. */
export type FunctionPointer<F> = number & { readonly [callee]: F };

const table: { readonly name: string; readonly target: unknown }[] = [{ name: 'NULL', target: null }];

/** Takes the address of a function (or operations table), at module load. */
export function functionPointer<F>(name: string, target: F): FunctionPointer<F> {
  table.push({ name, target });
  return (table.length - 1) as FunctionPointer<F>;
}

/** What the pointer points to. BUG on a null or wild one. */
export function pointedFunction<F>(pointer: FunctionPointer<F>): F {
  bugOn(pointer <= 0 || pointer >= table.length, `call through function pointer ${pointer}`);
  return table[pointer].target as F;
}

/** Its name, for reports. */
export const functionName = (pointer: number): string => table[pointer]?.name ?? `function#${pointer}`;
