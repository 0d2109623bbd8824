// SPDX-License-Identifier: MIT
import { Classes } from './classes.js';
import { Communication } from './communication.js';
import { Dependencies } from './dependencies.js';
import {
  addAcquires,
  addAfterUnlockLock,
  addGracePeriods,
  addReleases,
  addRmb,
  addSmpMb,
  addSmpMbBeside,
  addUnlockLock,
  addWmb,
  afterUnlockLockFences,
} from './fences.js';
import type { Skeleton, Witness } from './model.js';
import { rcuSections, srcuSections } from './rcu-sections.js';
import { Relation } from './relation.js';

/** Names of what {@link namedRelations} gives, as in linux-kernel.cat. */
export type RelationName =
  | 'po'
  | 'rf'
  | 'co'
  | 'fr'
  | 'rmw'
  | 'addr'
  | 'data'
  | 'ctrl'
  | 'mb'
  | 'rmb'
  | 'wmb'
  | 'gp'
  | 'po-rel'
  | 'acq-po'
  | 'po-unlock-lock-po'
  | 'rcu-rscs'
  | 'srcu-rscs';

export type NamedRelations = Readonly<Record<RelationName, Relation>>;

/**
 * The relations of one execution, for pictures and explanations. All but the RCU ones are whole: `po` and `co` are transitive, a fence relates whatever
 * it orders. `mb` are the full barriers of every kind. Dependencies are those that LKMM sees, carried through memory.
 */
export function namedRelations(skeleton: Skeleton, witness: Witness): NamedRelations {
  const classes = new Classes(skeleton.events);
  const { size, events, po } = classes;
  const talk = new Communication(size);
  talk.derive(classes, witness);
  const dependencies = new Dependencies(classes, skeleton);
  dependencies.derive(talk);
  const made = (...add: readonly ((into: Relation, classes: Classes) => void)[]): Relation => {
    const relation = new Relation(size);
    for (const each of add) each(relation, classes);
    return relation;
  };
  const rf = new Relation(size);
  witness.rf.forEach((store, load) => {
    if (store !== -1) rf.add(store, load);
  });
  const rmw = new Relation(size);
  events.forEach(({ partner }, i) => {
    if (partner > i) rmw.add(i, partner);
  });
  const sections = (of: readonly { lock: number; unlock: number }[]): Relation => {
    const relation = new Relation(size);
    for (const { lock, unlock } of of) relation.add(lock, unlock);
    return relation;
  };
  const { addr, data, ctrl } = dependencies;
  return {
    po,
    rf,
    co: witness.co,
    fr: talk.fr,
    rmw,
    addr,
    data,
    ctrl,
    mb: handedOver(
      made(addSmpMb, addSmpMbBeside, addAfterUnlockLock),
      classes,
      witness,
      afterUnlockLockFences(classes),
    ),
    rmb: made(addRmb),
    wmb: made(addWmb),
    gp: made(addGracePeriods),
    'po-rel': made(addReleases),
    'acq-po': made(addAcquires),
    'po-unlock-lock-po': handedOver(made(addUnlockLock), classes, witness, po),
    'rcu-rscs': sections(rcuSections(classes).sections),
    'srcu-rscs': sections(srcuSections(classes, skeleton, rf)),
  };
}

/** Adds `po ; [UL] ; rf ; [LKR] ; after`. */
function handedOver(into: Relation, { size, stride, events, po }: Classes, { rf }: Witness, after: Relation): Relation {
  events.forEach(({ type }, load) => {
    if (type !== 'LKR' || rf[load] === -1 || events[rf[load]].type !== 'UL') return;
    for (let i = 0; i < size; i++)
      if (po.has(i, rf[load]))
        for (let w = 0; w < stride; w++) into.bits[i * stride + w] |= after.bits[load * stride + w];
  });
  return into;
}
