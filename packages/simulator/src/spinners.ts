// SPDX-License-Identifier: MIT
import type { CommitListener } from './memory/memory.js';
import type { Processor } from './processor.js';

/** CPUs that spin, by lock word. A CPU that spins executes nothing until the word changes, except interrupt handlers. */
export class Spinners implements CommitListener {
  watched = 0;
  private readonly waiting: Map<number, Processor[]> = new Map();
  /** Lets a CPU try again. */
  release: (cpu: Processor) => void = () => {};

  add(cpu: Processor): void {
    const others = this.waiting.get(cpu.spinsOn);
    if (others === undefined) this.waiting.set(cpu.spinsOn, [cpu]);
    else others.push(cpu);
    this.watched = this.waiting.size;
  }

  remove(cpu: Processor): void {
    const all = this.waiting.get(cpu.spinsOn);
    if (all === undefined) return;
    const at = all.indexOf(cpu);
    if (at >= 0) all.splice(at, 1);
    if (all.length === 0) this.waiting.delete(cpu.spinsOn);
    this.watched = this.waiting.size;
    cpu.spinsOn = 0;
  }

  changed(address: number): void {
    const all = this.waiting.get(address);
    if (all !== undefined) for (const cpu of [...all]) this.release(cpu);
  }
}
