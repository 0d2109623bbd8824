// SPDX-License-Identifier: MIT
import type { Op, Ordering } from '@lockless/cpu';
import { fieldAt, PRIMITIVES, TaskStruct } from '@lockless/cpu';
import { causalOrder, isLatest } from './causal-order.js';
import type { AccessSite, Execution, ExecutionEvent, ExecutionThread } from './execution.js';
import { FinalMemory } from './final-memory.js';
import { type Graph, NONE, READS, WRITES } from './graph.js';
import { memoryModelGraph } from './model-graph.js';
import * as N from './node.js';
import type { Threads } from './threads.js';

/** A graph as reports and `finally` see it. Positions are those of an order that has causes first; the graph's own numbers are stamps. */
export class GraphView implements Execution {
  private readonly state: Graph;
  private readonly all: Threads;
  private order: readonly number[] | null = null;
  private made: readonly ExecutionEvent[] | null = null;

  constructor(graph: Graph, threads: Threads) {
    this.state = graph;
    this.all = threads;
  }

  get threads(): readonly ExecutionThread[] {
    return this.numbers().map((t) => {
      const code = this.all.codeOf(this.state, t);
      const { kind, outcome } = this.all.cursor(this.state, t);
      const started = this.state.startedBy[t];
      return {
        name: code.name,
        cpu: code.cpu.id,
        startedBy: started === NONE ? null : this.position(started),
        ended: kind === N.END,
        result: kind === N.END ? outcome : undefined,
      };
    });
  }

  /** Number of a thread among those that are there. */
  threadNumber(thread: number): number {
    return this.numbers().indexOf(thread);
  }

  private numbers(): number[] {
    const found: number[] = [];
    for (let t = 0; t < this.state.threads; t++) if (this.all.exists(this.state, t)) found.push(t);
    return found;
  }

  get events(): readonly ExecutionEvent[] {
    if (this.made === null) {
      const positions = this.positions();
      this.made = this.causalOrder().map((e) => this.event(e, positions));
    }
    return this.made;
  }

  /** Position of the graph's event. */
  position(event: number): number {
    return this.positions()[event];
  }

  private positions(): Int32Array {
    const positions = new Int32Array(this.state.size);
    this.causalOrder().forEach((e, i) => {
      positions[e] = i;
    });
    return positions;
  }

  private causalOrder(): readonly number[] {
    this.order ??= causalOrder(this.state);
    return this.order;
  }

  private event(e: number, positions: Int32Array): ExecutionEvent {
    const graph = this.state;
    const node = graph.nodes[e];
    const reads = (graph.flags[e] & READS) !== 0;
    const writes = (graph.flags[e] & WRITES) !== 0;
    const source = graph.readsFrom[e];
    return {
      thread: this.threadNumber(graph.thread[e]),
      position: graph.index[e],
      get site(): AccessSite {
        return node.site;
      },
      code: node.code,
      order: orderingOf(node),
      weakened: node.weakened,
      address: node.address,
      operand: node.operand,
      expected: node.expected,
      read: reads ? graph.valueRead[e] : null,
      written: writes ? graph.valueWritten[e] : null,
      readsFrom: !reads ? null : source < 0 ? 'initial' : positions[source],
      readsLatest: reads && isLatest(graph, e),
      result: node.kind === N.FENCE ? node.outcome : graph.answers[e],
    };
  }

  coherence(address: number): readonly number[] {
    const location = this.all.engine.locations.find(address);
    const found: number[] = [];
    if (location < 0 || location >= this.state.locations) return found;
    for (let s = this.state.firstStore[location]; s !== NONE; s = this.state.coherenceAfter[s])
      found.push(this.position(s));
    return found;
  }

  explain(): readonly number[] {
    return this.causalOrder().map((_, i) => i);
  }

  graph(): ReturnType<Execution['graph']> {
    const { skeleton, witness, origin } = memoryModelGraph(this.state, this.causalOrder(), this.all.engine.locations);
    const positions = this.positions();
    return { skeleton, witness, origin: origin.map((e) => (e < 0 ? -1 : positions[e])) };
  }

  finalWord(address: number): number {
    const location = this.all.engine.locations.find(address);
    const graph = this.state;
    const store = location < 0 || location >= graph.locations ? -1 : graph.lastStore[location];
    return store >= 0 ? graph.valueWritten[store] : this.all.engine.words[address];
  }

  initialWord(address: number): number {
    return this.all.engine.words[address];
  }

  describe(address: number): string {
    const { machine } = this.all.engine;
    const task = machine.tasks.findIndex((base) => address >= base && address < base + TaskStruct.$size);
    if (task < 0) return machine.describe(address);
    const owner = task === 0 ? 'boot' : this.all.own[task - 1].name;
    return `${owner}.task.${fieldAt(TaskStruct, address - machine.tasks[task])}`;
  }

  runOnFinalMemory<T>(op: Op<T>): T {
    return new FinalMemory(this.state, this.all).run(op);
  }

  site(event: number): AccessSite {
    return this.state.nodes[event].site;
  }
}

function orderingOf(node: N.TraceNode): Ordering {
  const own = PRIMITIVES[node.code].order;
  if (!node.weakened) return own;
  return node.kind === N.RMW ? 'relaxed' : 'once';
}
