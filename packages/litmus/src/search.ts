// SPDX-License-Identifier: MIT
import type { MemoryModel } from '@lockless/memory-model';
import type { Program } from './elaborate.js';
import type { End, Planned } from './elaborate-event.js';
import { Checkers, type Instance } from './search-checkers.js';
import { nextOptions, type Option } from './search-choice.js';
import { Graph } from './search-graph.js';
import { Patience } from './search-patience.js';

export interface Visitor {
  /** A lock that can never be taken on one of the ways. */
  stuck(lock: Planned): void;
  /** A complete and consistent execution. The graph is valid during the call only. */
  complete(graph: Graph, instance: Instance): void;
  /** A loop that would go on: what is behind it has been left out. */
  cut(thread: number, end: Extract<End, { kind: 'cut' }>): void;
  /** Called at each choice. */
  step(): void;
}

/**
 * Finds every consistent execution of a program, each exactly once.
 *
 * Nothing is enumerated and then filtered. At each step one load is given a store to read from, and all that follows is worked out: values, addresses,
 * conditions, hence which way threads go, and the coherence edges that this forces; then the model is asked whether what there is so far already breaks an
 * axiom. (It may: axioms are monotone.) When every load reads from something, pairs of stores that nothing has ordered are ordered both ways. Each choice
 * divides the executions into disjoint sets, so none is found twice.
 */
export class Search {
  readonly #graph: Graph;
  readonly #checkers: Checkers;
  readonly #visitor: Visitor;
  readonly #patience: Patience = new Patience();

  constructor(program: Program, model: MemoryModel, visitor: Visitor) {
    this.#graph = new Graph(program);
    this.#checkers = new Checkers(model, program);
    this.#visitor = visitor;
  }

  run(): void {
    if (this.#graph.start()) this.#explore(0, false);
    // Two threads keep the same lock for ever: the later one never gets it.
    else this.#stuckAt(this.#graph.events.findLastIndex(({ type }) => type === 'LKR'));
  }

  #stuckAt(lock: number): void {
    if (lock !== -1) this.#visitor.stuck(this.#graph.planned[lock] as Planned);
  }

  #consistent(): boolean {
    const instance = this.#checkers.of(this.#graph);
    return instance.checker.broken({ rf: this.#graph.rf, co: instance.co }) === null;
  }

  /** `checked`: whether the model has seen the graph as it is. */
  #explore(depth: number, checked: boolean): void {
    this.#visitor.step();
    const cut = this.#graph.current.find(({ end }) => end.kind === 'cut');
    if (cut !== undefined) {
      if (cut.end.kind === 'cut' && (checked || this.#consistent())) this.#visitor.cut(cut.thread, cut.end);
      return;
    }
    const options = nextOptions(this.#graph);
    if (options === null) this.#order(depth, checked);
    else this.#branch(options, depth);
  }

  #branch(options: readonly Option[], depth: number): void {
    const graph = this.#graph;
    if (options.length === 0) {
      return this.#stuckAt(graph.events.findIndex(({ type }, number) => type === 'LKR' && graph.rf[number] === -1));
    }
    graph.save(depth);
    for (const { load, store } of options) {
      const mark = graph.mark();
      const source = typeof store === 'number' ? store : graph.expect(store);
      if (source !== -1 && graph.read(load, source) && graph.settle()) this.#descend(depth, options.length > 1);
      graph.undo(mark);
      graph.restore(depth);
    }
  }

  /** What had no alternative is not worth a check of its own. */
  #descend(depth: number, alternatives: boolean): void {
    const check = alternatives && this.#patience.isWorthChecking(depth);
    if (check) {
      const consistent = this.#consistent();
      this.#patience.checked(depth, !consistent);
      if (!consistent) return;
    }
    this.#explore(depth + 1, check);
  }

  #order(depth: number, checked: boolean): void {
    const graph = this.#graph;
    if (!graph.isDecided()) return;
    const pair = graph.coherence.unordered();
    if (pair === null) {
      this.#patience.cameToEnd();
      if (checked || this.#consistent()) this.#visitor.complete(graph, this.#checkers.of(graph));
      return;
    }
    const [location, one, other] = pair;
    graph.save(depth);
    for (const [first, second] of [
      [one, other],
      [other, one],
    ]) {
      if (graph.coherence.order(location, first, second)) this.#descend(depth, true);
      graph.restore(depth);
    }
  }
}
