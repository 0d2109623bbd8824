// SPDX-License-Identifier: MIT
import type { Access, Engine, Op, Primitive, Ptr } from '@lockless/cpu';
import {
  enterCpu,
  KernelBug,
  PRIMITIVES,
  rmwResult,
  rmwStore,
  rmwSucceeds,
  TASK_RUNNING,
  TaskStruct,
} from '@lockless/cpu';
import type { Graph } from './graph.js';
import { type Machine, underEngine } from './machine.js';
import * as N from './node.js';
import type { Threads } from './threads.js';

/** Memory when all is over, for code that looks at it alone. It writes to the machine's memory and puts back what was there. */
export class FinalMemory implements Engine {
  readonly words: Int32Array;
  readonly heap: Machine['sequential']['heap'];
  private readonly machine: Machine;
  /** Objects that were freed: first word, size. */
  private readonly freed: { readonly base: number; readonly size: number }[] = [];
  private readonly undo: number[] = [];
  private readonly readAtEnd: Set<number>;
  private allocations = 0;

  constructor(graph: Graph, threads: Threads) {
    const { machine, locations, words, scope } = threads.engine;
    this.readAtEnd = scope.readAtEnd;
    this.machine = machine;
    this.words = words;
    this.heap = machine.sequential.heap;
    for (let t = 0; t < graph.threads; t++) {
      if (!threads.exists(graph, t)) continue;
      const { own } = threads.cursor(graph, t);
      if (own !== null) for (const [address, value] of own) this.write(address, value);
    }
    for (let l = 1; l < graph.locations; l++) {
      const store = graph.lastStore[l];
      if (store >= 0) this.write(locations.addresses[l], graph.valueWritten[store]);
    }
    for (let e = 0; e < graph.size; e++) {
      const { kind, operation, address, operand } = graph.nodes[e];
      if (kind === N.FENCE && operation === N.F_FREE) this.freed.push(machine.freed(address, operand));
    }
  }

  run<T>(op: Op<T>): T {
    try {
      return underEngine(this, () => {
        enterCpu({ id: 0, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: this.machine.tasks[0] });
        for (;;) {
          const step = op.next();
          if (step.done) return step.value;
        }
      });
    } finally {
      for (let i = this.undo.length - 2; i >= 0; i -= 2) this.words[this.undo[i]] = this.undo[i + 1];
    }
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    return { done: true, value: this.perform(access) };
  }

  private write(address: number, value: number): void {
    if (this.words[address] === value) return;
    this.undo.push(address, this.words[address]);
    this.words[address] = value;
  }

  private check(address: number): void {
    for (const { base, size } of this.freed)
      if (address >= base && address < base + size)
        throw new KernelBug('use-after-free', `use after free: ${this.machine.describe(address)}`);
    this.machine.check(address);
  }

  private perform({ code, address, operand, expected }: Access<unknown>): unknown {
    const primitive = PRIMITIVES[code];
    switch (primitive.event) {
      case 'R':
        this.check(address);
        this.readAtEnd.add(address);
        return this.words[address];
      case 'W':
        this.check(address);
        return this.write(address, operand);
      case 'RMW': {
        this.check(address);
        this.readAtEnd.add(address);
        const { operation, result } = primitive as Required<Primitive>;
        const old = this.words[address];
        const success = rmwSucceeds(operation, old, expected);
        const stored = success ? rmwStore(operation, old, operand) : old;
        this.write(address, stored);
        return rmwResult(result, old, stored, expected, success);
      }
      case 'ALLOC':
        return this.machine.allocate(-1, this.allocations++, address);
      case 'FREE':
        this.check(address);
        this.freed.push(this.machine.freed(address, operand));
        return undefined;
      case 'CHOOSE':
        return 0;
      default:
        return this.lockOrWait(primitive, address, operand);
    }
  }

  private lockOrWait({ event, name }: Primitive, address: number, operand: number): unknown {
    const held = (): never => {
      throw new KernelBug('deadlock', `${name}(${this.machine.describe(address)}): held, and nobody else runs`);
    };
    switch (event) {
      case 'LK':
      case 'LF':
        this.check(address);
        if (this.words[address] === 0) this.write(address, 1);
        else if (event === 'LF') return false;
        else held();
        return true;
      case 'UL':
        return this.write(address, 0);
      case 'RLK':
        if (this.words[address] > 0) held();
        return this.write(address, this.words[address] - 1);
      case 'RUL':
        return this.write(address, this.words[address] + 1);
      case 'WAKE': {
        const state = TaskStruct.state(address as Ptr<TaskStruct>);
        if ((this.words[state] & operand) === 0) return false;
        this.write(state, TASK_RUNNING);
        return true;
      }
      case 'SCHEDULE':
        if (this.words[TaskStruct.state(this.machine.tasks[0])] === TASK_RUNNING) return undefined;
        throw new KernelBug('deadlock', 'schedule(): sleeps, and nobody else runs');
      case 'RELAX':
        throw new KernelBug('livelock', 'cpu_relax(): spins, and nobody else runs');
      case 'IO':
        throw new KernelBug('unsupported', 'submit_io(): the checker has no devices');
      case 'CALL_RCU':
        throw new KernelBug('unsupported', 'call_rcu() on final memory: nobody is left to wait for');
      default:
        return undefined;
    }
  }
}
