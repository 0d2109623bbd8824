// SPDX-License-Identifier: MIT

import { CycleSearch } from './acyclic.js';
import { Classes } from './classes.js';
import { Communication } from './communication.js';
import { INITIAL } from './event.js';
import { LkmmExecution } from './explain-lkmm.js';
import { explainGracePeriods } from './explain-rcu.js';
import { GracePeriods } from './grace-periods.js';
import { Locks } from './locks.js';
import type { MemoryModel, Skeleton, Witness } from './model.js';
import { type NamedRelations, namedRelations } from './named-relations.js';
import { Machine, type NamedEdge, shortestCycle, shortestPath } from './paths.js';
import { Relation } from './relation.js';
import { tsoProgramOrder } from './tso.js';

/** Why an execution is not one of the model's. */
export interface Explanation {
  readonly axiom: string;
  /**
   * What breaks it: for `acyclic` axioms and for RCU a cycle, each edge from where the one before ends; for `atomic` the way from load to store by
   * another thread, and the `rmw` that it breaks into; else the pair of events that must not be.
   */
  readonly edges: readonly NamedEdge[];
}

/** The first axiom that the execution breaks, and what breaks it; null when the model allows the execution. Slow: for reports. */
export function explain(model: MemoryModel, skeleton: Skeleton, witness: Witness): Explanation | null {
  const axiom = model.instantiate(skeleton).broken(witness);
  if (axiom === null) return null;
  return { axiom, edges: fromFirst(edgesOf(axiom, model, skeleton, witness)) };
}

/** A cycle begins at its lowest event; what is no cycle stays as it is. */
function fromFirst(edges: readonly NamedEdge[]): readonly NamedEdge[] {
  if (edges.length < 3 || edges.some(({ to }, i) => edges[(i + 1) % edges.length].from !== to)) return edges;
  const first = edges.reduce((lowest, { from }, i) => (from < edges[lowest].from ? i : lowest), 0);
  return [...edges.slice(first), ...edges.slice(0, first)];
}

function edgesOf(axiom: string, model: MemoryModel, skeleton: Skeleton, witness: Witness): readonly NamedEdge[] {
  switch (axiom) {
    case 'coherence':
      return coherence(skeleton, witness);
    case 'atomic':
      return atomicity(skeleton, witness);
    case 'happens-before':
      return new LkmmExecution(skeleton, witness).happensBefore();
    case 'propagation':
      return new LkmmExecution(skeleton, witness).propagatesBefore();
    case 'rcu': {
      const execution = new LkmmExecution(skeleton, witness);
      if (execution.periods === null) return [];
      return explainGracePeriods(execution.periods, (from, to) => execution.rcuLink(from, to));
    }
    case 'plain-coherence':
      return plainCoherence(skeleton, witness);
    case 'sequential-consistency':
    case 'total-store-order':
      return shortestCycle(new Machine().any(0, 0, orderSteps(model, skeleton, witness)), skeleton.events.length) ?? [];
    case 'grace-period':
      return gracePeriod(model, skeleton, witness);
    default:
      return locks(axiom, skeleton, witness);
  }
}

/** rf, co and fr by name, `e` between threads and `i` within. */
function communication(
  skeleton: Skeleton,
  { rf, co, fr }: NamedRelations,
  internally: boolean | null,
): [string, Relation][] {
  const { events } = skeleton;
  const size = events.length;
  const parts: [string, Relation][] = [];
  for (const [name, relation] of [
    ['rf', rf],
    ['co', co],
    ['fr', fr],
  ] as const) {
    const inside = new Relation(size);
    const between = new Relation(size);
    for (const [i, j] of relation.pairs())
      (events[i].thread === events[j].thread && events[i].thread !== INITIAL ? inside : between).add(i, j);
    if (internally !== false) parts.push([`${name}i`, inside]);
    if (internally !== true) parts.push([`${name}e`, between]);
  }
  return parts;
}

function coherence(skeleton: Skeleton, witness: Witness): readonly NamedEdge[] {
  const named = namedRelations(skeleton, witness);
  const { poLoc, size } = new Classes(skeleton.events);
  const machine = new Machine().any(0, 0, new Map([['po-loc', poLoc], ...communication(skeleton, named, null)]));
  return shortestCycle(machine, size) ?? [];
}

function atomicity({ events }: Skeleton, { rf, co }: Witness): readonly NamedEdge[] {
  for (const [load, { partner, thread }] of events.entries()) {
    if (partner < load || rf[load] === -1) continue;
    for (let other = 0; other < events.length; other++) {
      if (events[other].thread === thread) continue;
      const rmw = { from: load, to: partner, name: 'rmw' };
      if (co.has(rf[load], other) && co.has(other, partner))
        return [{ from: load, to: other, name: 'fre' }, { from: other, to: partner, name: 'coe' }, rmw];
      // Two that read the same store: whichever store comes first is between the halves of the other.
      if (events[other].partner > other && rf[other] === rf[load])
        return [{ from: rf[load], to: load, name: 'rf' }, { from: rf[load], to: other, name: 'rf' }, rmw];
    }
  }
  return [];
}

function plainCoherence(skeleton: Skeleton, witness: Witness): readonly NamedEdge[] {
  const { plain, talk } = new LkmmExecution(skeleton, witness);
  const pair = plain?.incoherent(talk, witness) ?? null;
  if (pair === null) return [];
  const [from, to] = pair;
  const name = talk.rf.has(from, to) ? 'rf' : talk.fr.has(from, to) ? 'fr' : 'co';
  const back = { rf: 'rw-xbstar', fr: 'wr-vis', co: 'ww-vis' }[name];
  return [
    { from, to, name },
    { from: to, to: from, name: back },
  ];
}

/** What the order of SC and TSO is made of. */
function orderSteps({ name }: MemoryModel, skeleton: Skeleton, witness: Witness): Map<string, Relation> {
  const classes = new Classes(skeleton.events);
  const named = namedRelations(skeleton, witness);
  if (name === 'sc') return new Map([['po', classes.po], ...communication(skeleton, named, null)]);
  return new Map([
    ['ppo', tsoProgramOrder(classes)],
    ...communication(skeleton, named, null).filter(([of]) => of !== 'rfi'),
  ]);
}

function gracePeriod(model: MemoryModel, skeleton: Skeleton, witness: Witness): readonly NamedEdge[] {
  const classes = new Classes(skeleton.events);
  const { size, po } = classes;
  const periods = GracePeriods.of(classes, skeleton);
  if (periods === null) return [];
  const steps = orderSteps(model, skeleton, witness);
  const order = new Relation(size);
  for (const relation of steps.values()) order.union(relation);
  const closure = new Relation(size);
  new CycleSearch(size).acyclic(order, closure);
  const talk = new Communication(size);
  talk.derive(classes, witness);
  periods.deriveLinks([{ relation: closure, reflexive: true }]);
  periods.deriveOrder(talk, false);
  const machine = new Machine().step(0, 1, 'po', po).skip(0, 1).any(1, 1, steps).step(1, 2, 'po', po).accept(2);
  return explainGracePeriods(periods, (from, to) => shortestPath(machine, size, from, to, false) ?? []);
}

function locks(axiom: string, { events }: Skeleton, { rf }: Witness): readonly NamedEdge[] {
  const found = new Locks(new Classes(events));
  if (axiom === 'lock-values') {
    const load = found.misread({ rf, co: new Relation(events.length) });
    return [{ from: rf[load], to: load, name: 'rf' }];
  }
  if (found.deadlock === null) return [];
  const { from, to } = found.deadlock;
  return [{ from, to, name: axiom === 'unmatched-locks' ? 'loc' : 'po-loc' }];
}
