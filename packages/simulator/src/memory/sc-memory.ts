// SPDX-License-Identifier: MIT
import { Memory } from './memory.js';

/** Sequential consistency: every access acts on memory at once. */
export class ScMemory extends Memory {
  enter(): void {}

  load(address: number): number {
    return this.words[address];
  }

  store(address: number, value: number): void {
    this.reach(address, value);
  }

  fence(): void {}

  latest(address: number): number {
    return this.words[address];
  }

  modify(address: number, value: number): void {
    this.reach(address, value);
  }

  failed(): void {}

  full(): void {}

  forget(): void {}

  bufferedElsewhere(): number {
    return -1;
  }

  drift(): void {}

  drain(): void {}
}
