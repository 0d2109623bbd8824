// SPDX-License-Identifier: MIT
import type { Access, CpuLocal, Op } from '@lockless/cpu';
import type { AccessSite } from './execution.js';
import type { SiteFinder, TraceNode } from './node.js';
import type { Meaning } from './translate.js';

/** Code that is tried out: the accesses that it is to make, again and again, what they are given, how many more are to be seen. */
export interface Trial {
  readonly round: readonly TraceNode[];
  readonly answers: readonly unknown[];
  at: number;
  left: number;
  /** How many of the last ones have to be made at the same call stack, too. */
  readonly located: number;
  /** The code did something else. */
  differs: boolean;
}

/** One execution of a thread's generator, which is fed what is known and stops at the first access that nobody has answered. */
export class Run {
  readonly cpu: CpuLocal;
  readonly generator: Op<unknown>;
  /** Nodes that are known: each but the last is answered with what the next was made from. */
  path: readonly TraceNode[];
  /** Position in the path. */
  next = 0;
  /** Node where the generator waits for an answer. */
  at: TraceNode | null = null;
  suspended = false;
  answer: unknown = undefined;
  trial: Trial | null = null;
  /** The call stack is wanted where it stops. */
  captures = false;
  site: AccessSite | null = null;
  /** Accesses since the last event that were answered without one. */
  silent = 0;

  /** The access in progress, its events, and which of them is next. */
  readonly access: { code: number; address: number; operand: number; expected: number } = {
    code: 0,
    address: 0,
    operand: 0,
    expected: 0,
  };
  parts: readonly Meaning[] = [];
  part = 0;
  result: unknown = undefined;

  /** Stores to words that no other thread touches. */
  readonly own: Map<number, number> = new Map();
  /** Positions of the loads that returned a pointer into an object, by the object. */
  readonly pointers: Map<number, readonly number[]> = new Map();
  /** How many objects it allocated. */
  allocations = 0;

  readonly owner: SiteFinder;

  constructor(owner: SiteFinder, cpu: CpuLocal, generator: Op<unknown>, path: readonly TraceNode[]) {
    this.owner = owner;
    this.cpu = cpu;
    this.generator = generator;
    this.path = path;
  }

  begin({ code, address, operand, expected }: Access<unknown>): void {
    const own = this.access;
    own.code = code;
    own.address = address;
    own.operand = operand;
    own.expected = expected;
    this.result = undefined;
    this.part = 0;
  }
}
