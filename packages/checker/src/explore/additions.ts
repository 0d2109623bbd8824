// SPDX-License-Identifier: MIT
import { ADDED_MAX, type Graph, NONE } from './graph.js';
import * as N from './node.js';
import { resultOf, stores, succeeds } from './read-modify-write.js';
import type { Threads } from './threads.js';

/** Adds events to graphs, with the values that come of what they read. */
export class Additions {
  private readonly threads: Threads;
  private readonly initial: readonly number[];

  constructor(threads: Threads) {
    this.threads = threads;
    this.initial = threads.engine.locations.initial;
  }

  addRead(graph: Graph, thread: number, node: N.TraceNode, store: number): number {
    const event = graph.add(thread, node);
    this.read(graph, event, node, store);
    return event;
  }

  read(graph: Graph, event: number, node: N.TraceNode, store: number): void {
    const old = this.valueOf(graph, store, node.location);
    graph.readFrom(event, store, old);
    if (node.kind === N.READ) {
      graph.answers[event] = old;
      return;
    }
    const { operation, operand, expected } = node;
    const success = succeeds(operation, old, operand, expected);
    const value = success ? stores(operation, old, operand) : old;
    if (success) graph.placeAfter(event, store, value);
    graph.answers[event] = resultOf(node.code, operation, old, value, expected, success);
  }

  addWrite(graph: Graph, thread: number, node: N.TraceNode, before: number): number {
    const event = graph.add(thread, node);
    graph.placeAfter(event, before, node.operand);
    return event;
  }

  addOther(graph: Graph, thread: number, node: N.TraceNode, answer: unknown): number {
    const event = graph.add(thread, node);
    graph.answers[event] = answer;
    graph.flags[event] = ADDED_MAX;
    if (node.kind === N.FENCE && node.operation === N.F_CALL_RCU) this.threads.start(graph, event);
    return event;
  }

  valueOf(graph: Graph, store: number, location: number): number {
    return store >= 0 ? graph.valueWritten[store] : this.initial[location];
  }

  /** The node of an event whose causes are there. */
  nodeAfter(graph: Graph, event: number): N.TraceNode {
    const code = this.threads.codeOf(graph, graph.thread[event]);
    const before = graph.programBefore[event];
    return before === NONE ? code.root : code.next(graph.nodes[before], graph.answers[before]);
  }

  /** Works out the values of an event again, of which it is known what it reads from or chose. */
  reread(graph: Graph, event: number, chosen: number): void {
    const node = graph.nodes[event];
    const { kind, operation, operand, expected } = node;
    if (kind === N.WRITE) graph.valueWritten[event] = operand;
    else if (kind === N.CHOOSE) graph.answers[event] = chosen;
    else if (kind === N.READ || kind === N.RMW) {
      const old = this.valueOf(graph, graph.readsFrom[event], node.location);
      graph.valueRead[event] = old;
      graph.answers[event] = old;
      if (kind === N.READ) return;
      const success = succeeds(operation, old, operand, expected);
      graph.valueWritten[event] = success ? stores(operation, old, operand) : old;
      graph.answers[event] = resultOf(node.code, operation, old, graph.valueWritten[event], expected, success);
    }
  }
}
