// SPDX-License-Identifier: MIT
import { Graph } from './graph.js';

/* Kinds of work that is left to do on a graph. */
/** A load reads from another store: load, store. */
export const FORWARD_READ = 0;
/** A store stands elsewhere: store, the one right before it. */
export const FORWARD_WRITE = 1;
/** Another choice: event, number. */
export const FORWARD_CHOICE = 2;
/** An earlier load reads from a later store: load, store. */
export const BACKWARD = 3;
/** A lock that is held is taken before who holds it: thread, store. */
export const OVERTAKE = 4;

/** A graph and what is left to do on it, the latest first. */
export class Level {
  readonly graph: Graph;
  /** Four numbers an item: kind, two operands, size of the graph then. */
  readonly work: number[] = [];
  constructor(threads: number) {
    this.graph = new Graph(threads);
  }

  push(kind: number, a: number, b: number, limit: number): void {
    this.work.push(kind, a, b, limit);
  }

  get items(): number {
    return this.work.length / 4;
  }

  /** Drops all but the first items. */
  keep(items: number): void {
    this.work.length = items * 4;
  }
}

/** The graphs of nested revisits: as deep as there are revisits within revisits, however many executions. */
export class Levels {
  private readonly all: Level[] = [];
  private depth = 0;
  private readonly threads: number;

  constructor(threads: number) {
    this.threads = threads;
  }

  get top(): Level {
    return this.all[this.depth - 1];
  }

  get isEmpty(): boolean {
    return this.depth === 0;
  }

  /** A level for a graph that is filled in by the caller. */
  push(): Level {
    if (this.depth === this.all.length) this.all.push(new Level(this.threads));
    const level = this.all[this.depth++];
    level.work.length = 0;
    return level;
  }

  pop(): void {
    this.depth--;
  }

  /** From the outermost. */
  list(): readonly Level[] {
    return this.all.slice(0, this.depth);
  }
}
