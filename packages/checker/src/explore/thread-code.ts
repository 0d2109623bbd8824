// SPDX-License-Identifier: MIT
import type { CpuLocal, Op } from '@lockless/cpu';
import { headsThatCarryState } from './carried-state.js';
import type { AccessSite } from './execution.js';
import { underEngine } from './machine.js';
import * as N from './node.js';
import { Nondeterminism } from './nondeterminism.js';
import { keyOf } from './read-modify-write.js';
import { Run } from './run.js';
import type { ThreadEngine } from './thread-engine.js';
import { loopsFrom } from './waits.js';

const NOWHERE: AccessSite = { code: 0, frames: [] };
const NO_ACCESS = { address: 0, operand: 0, expected: 0 };

/**
 * What a thread does, as a function of the values that it is given: a trie. A path that is known costs a look-up at each step; for one that
 * is not the generator is executed from its start, unless it happens to wait at the right place.
 */
export class ThreadCode implements N.SiteFinder {
  readonly name: string;
  readonly cpu: CpuLocal;
  /** Number for allocation and sharing; a callback of call_rcu() has one of its own too. */
  readonly id: number;
  /** Nodes made since they were last forgotten. */
  nodes = 0;
  /** Executions of the generator from its start. */
  runs = 0;
  private readonly engine: ThreadEngine;
  private readonly start: () => Op<unknown>;
  private first: N.TraceNode | null = null;
  private live: Run | null = null;

  constructor(engine: ThreadEngine, name: string, id: number, cpu: CpuLocal, start: () => Op<unknown>) {
    this.engine = engine;
    this.name = name;
    this.id = id;
    this.cpu = cpu;
    this.start = start;
  }

  get root(): N.TraceNode {
    if (this.first === null) {
      const run = this.newRun([]);
      this.first = this.advance(run, null, undefined);
    }
    return this.first;
  }

  /** Where the thread comes to when the access of a node is answered. */
  next(node: N.TraceNode, answer: unknown): N.TraceNode {
    const key = keyOf(answer);
    const known = node.child(key);
    if (known !== null) return known;
    let run = this.live;
    if (run === null || run.at !== node || !run.suspended) run = this.replay(node);
    run.answer = answer;
    let child = this.advance(run, node, answer);
    if (child.kind <= N.CHOOSE) {
      const round = loopsFrom(this, child, this.engine.scope);
      if (round > 0) child = this.wait(child, round);
    }
    node.adopt(key, child);
    return child;
  }

  /** Sees whether rounds in vain, which are not explored, would have changed what follows them; if so, they are to be explored. */
  checkWaits(): void {
    const { loops, sharing } = this.engine.scope;
    if (this.first === null) return;
    for (const head of headsThatCarryState(this, this.first, (address, a, b) => this.engine.showsAtEnd(address, a, b)))
      if (loops.carriesState(head)) sharing.changed = true;
    this.live = null;
  }

  /** Forgets the trie but for what graphs still refer to. */
  forget(): void {
    const todo = this.first === null ? [] : [this.first];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) todo.push(...node.orphan());
    this.live = null;
    this.nodes = 0;
  }

  /** A fresh execution along a path, in which nothing is known after it. */
  newRun(path: readonly N.TraceNode[]): Run {
    this.runs++;
    return new Run(this, { ...this.cpu }, this.start(), path);
  }

  /** Runs the generator; what it throws is not caught. */
  resume(run: Run): IteratorResult<unknown, unknown> {
    return this.engine.resumeKernelCode(run, this.id);
  }

  siteOf(node: N.TraceNode): AccessSite {
    const run = this.newRun(N.pathTo(node));
    run.captures = true;
    underEngine(this.engine, () => this.resume(run));
    if (run.site === null) throw new Nondeterminism(`the way to an access of ${this.name}`);
    return run.site;
  }

  private replay(node: N.TraceNode): Run {
    const run = this.newRun(N.pathTo(node));
    const step = this.resume(run);
    if (step.done || run.at !== node) throw new Nondeterminism(`the end of ${this.name}`);
    return run;
  }

  private advance(run: Run, parent: N.TraceNode | null, fed: unknown): N.TraceNode {
    this.nodes++;
    this.live = null;
    try {
      const step = this.resume(run);
      if (!step.done) {
        this.live = run;
        return run.at as N.TraceNode;
      }
      const end = leaf(N.END, parent, fed, step.value);
      if (run.own.size > 0) end.own = run.own;
      return end;
    } catch (thrown) {
      if (thrown instanceof Nondeterminism) throw thrown;
      return leaf(N.BUG, parent, fed, thrown);
    }
  }

  /** The loop's next round is no event: the thread waits until one of its loads would read something else. */
  private wait(head: N.TraceNode, round: number): N.TraceNode {
    const { code, site, weakened, location, operation, order, parent, fed } = head;
    const node = new N.TraceNode(N.WAIT, code, site, weakened, head, location, operation, order, parent, fed);
    node.window = round;
    let at = parent;
    for (let i = 0; i < round && at !== null; i++, at = at.parent)
      if (at.kind === N.READ || at.kind === N.RMW) at.awaits = true;
    this.live = null;
    return node;
  }
}

function leaf(kind: number, parent: N.TraceNode | null, fed: unknown, outcome: unknown): N.TraceNode {
  const node = new N.TraceNode(kind, 0, NOWHERE, false, NO_ACCESS, -1, 0, 0, parent, fed);
  node.outcome = outcome;
  return node;
}
