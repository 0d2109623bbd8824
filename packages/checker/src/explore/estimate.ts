// SPDX-License-Identifier: MIT
import type { Exploration } from './exploration.js';

/** Walks that are enough. */
const MAX_WALKS = 2000;
/** Share of the time that goes into walks. */
const SHARE = 0.05;

/**
 * How many executions there are, guessed from random walks (Knuth, Estimating the efficiency of backtrack programs, 1975): a walk that came by k choices
 * of n1, ..., nk stands for the product of them. The mean over many walks is right in expectation; it is not precise where branches differ much.
 */
export class Estimate {
  private walks = 0;
  private total = 0;
  private spent = 0;
  private weight = 0;
  private seed = 1;
  private readonly exploration: Exploration;

  /** The exploration is used for walks only, and tells of its complete executions by {@link count}. */
  constructor(exploration: Exploration) {
    this.exploration = exploration;
  }

  /** A complete execution at the end of what was walked so far. */
  count(): void {
    this.total += this.weight;
  }

  /** Walks some more, if `seconds` of exploring leave room for it. */
  improve(seconds: number): void {
    while (this.walks < MAX_WALKS && this.spent < seconds * SHARE) {
      const start = performance.now();
      this.walk();
      this.walks++;
      this.spent += (performance.now() - start) / 1000;
    }
  }

  /** Goes down one branch of the exploration, chosen at random, instead of exploring. */
  private walk(): void {
    const { exploration } = this;
    while (!exploration.levels.isEmpty) exploration.levels.pop();
    let level = exploration.levels.push();
    level.graph.clear();
    this.weight = 1;
    for (let extending = true, noted = 0; ; ) {
      if (extending) exploration.extend(level);
      const choices = level.items - noted;
      if (choices === 0) return;
      this.weight *= choices;
      noted += this.random(choices);
      level.keep(noted + 1);
      extending = exploration.apply(level);
      if (exploration.levels.top === level) continue;
      level = exploration.levels.top;
      noted = 0;
    }
  }

  /** Executions in all; null as long as there is no saying. */
  get executions(): number | null {
    return this.walks < 20 ? null : this.total / this.walks;
  }

  /** The same walks each time. */
  private random(below: number): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.seed / 2 ** 32) * below);
  }
}
