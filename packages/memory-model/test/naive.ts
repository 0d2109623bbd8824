// SPDX-License-Identifier: MIT
import { type Event, INITIAL, type Skeleton, type Tag, type Witness } from '../src/index.js';

/*
 * LKMM spelled out relation by relation over byte matrices, in the order of the published definition: slow, and with nothing in common with src but
 * the events. The fast model is compared with it.
 */

export class Naive {
  readonly n: number;
  readonly bits: Uint8Array;
  constructor(n: number, holds: (i: number, j: number) => boolean = () => false) {
    this.n = n;
    this.bits = new Uint8Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (holds(i, j)) this.bits[i * n + j] = 1;
  }
  has(i: number, j: number): boolean {
    return this.bits[i * this.n + j] === 1;
  }
  or(...others: Naive[]): Naive {
    return new Naive(this.n, (i, j) => this.has(i, j) || others.some((r) => r.has(i, j)));
  }
  and(...others: Naive[]): Naive {
    return new Naive(this.n, (i, j) => this.has(i, j) && others.every((r) => r.has(i, j)));
  }
  minus(other: Naive): Naive {
    return new Naive(this.n, (i, j) => this.has(i, j) && !other.has(i, j));
  }
  /** This, then the others. */
  seq(...others: Naive[]): Naive {
    let all: Naive = this;
    for (const next of others) {
      const first = all;
      all = new Naive(this.n);
      for (let i = 0; i < this.n; i++)
        for (let k = 0; k < this.n; k++)
          if (first.has(i, k)) for (let j = 0; j < this.n; j++) if (next.has(k, j)) all.bits[i * this.n + j] = 1;
    }
    return all;
  }
  inverse(): Naive {
    return new Naive(this.n, (i, j) => this.has(j, i));
  }
  optional(): Naive {
    return new Naive(this.n, (i, j) => i === j || this.has(i, j));
  }
  plus(): Naive {
    const closed = new Naive(this.n, (i, j) => this.has(i, j));
    const { n, bits } = closed;
    for (let k = 0; k < n; k++)
      for (let i = 0; i < n; i++)
        if (bits[i * n + k] === 1) for (let j = 0; j < n; j++) if (bits[k * n + j] === 1) bits[i * n + j] = 1;
    return closed;
  }
  star(): Naive {
    return this.plus().optional();
  }
  empty(): boolean {
    return this.bits.every((bit) => bit === 0);
  }
  irreflexive(): boolean {
    for (let i = 0; i < this.n; i++) if (this.has(i, i)) return false;
    return true;
  }
  acyclic(): boolean {
    return this.plus().irreflexive();
  }
}

/** Axioms that the execution breaks (lock axioms left out), and whether it races. */
export function naiveLkmm(
  { events, addr, data, ctrl }: Skeleton,
  witness: Witness,
): { broken: string[]; race: boolean } {
  const n = events.length;
  const E = (i: number): Event => events[i];
  const rel = (holds: (i: number, j: number) => boolean): Naive => new Naive(n, holds);
  const set = (holds: (e: Event, i: number) => boolean): Naive => rel((i, j) => i === j && holds(E(i), i));
  const not = (s: Naive): Naive => set((_, i) => !s.has(i, i));
  const tagged = (...tags: Tag[]): Naive => set((e) => tags.includes(e.tag) && e.type !== 'LKR');

  const IW = set((e) => e.thread === INITIAL);
  const LKR = set((e) => e.type === 'LKR');
  const LKW = set((e) => e.type === 'LKW');
  const UL = set((e) => e.type === 'UL');
  const Rd = set((e) => ['R', 'LKR', 'LF', 'RL', 'RU'].includes(e.type));
  const Wr = set((e) => ['W', 'LKW', 'UL'].includes(e.type));
  const M = Rd.or(Wr);
  const RMW = set((e) => (e.type === 'R' || e.type === 'W') && (e.partner !== -1 || e.failed === true));
  const Failed = set((e) => e.failed === true);
  const Acquire = tagged('acquire').minus(Wr).minus(Failed).or(LKR);
  const Release = tagged('release').minus(Rd).minus(Failed).or(UL);
  const Mb = tagged('mb').minus(Failed);
  const Noreturn = tagged('noreturn').minus(Wr);
  const Plain = set((e) => (e.type === 'R' || e.type === 'W') && e.tag === 'plain')
    .minus(RMW)
    .minus(IW);
  const Marked = not(Plain);

  const po = rel((i, j) => i < j && E(i).thread === E(j).thread && E(i).thread !== INITIAL);
  const int = rel((i, j) => E(i).thread === E(j).thread);
  const ext = rel((i, j) => E(i).thread !== E(j).thread);
  const loc = rel((i, j) => E(i).location === E(j).location && E(i).location !== -1);
  const onM = (r: Naive): Naive => M.seq(r, M);
  const poLoc = onM(po.and(loc));
  const rmw = rel((i, j) => M.has(i, i) && E(i).partner === j && i < j);
  const rf = rel((i, j) => witness.rf[j] === i);
  const co = rel((i, j) => witness.co.has(i, j));
  const fr = rf.inverse().seq(co);
  const rfe = rf.and(ext);
  const rfi = rf.and(int);
  const fencerel = (s: Naive): Naive => po.seq(s, po);

  // linux-kernel.bell
  const rawData = rel((i, j) => data.has(i, j));
  const srcuUnlock = tagged('srcu-unlock');
  const carry = rawData.seq(not(srcuUnlock), rfi).star();
  const Addr = carry.seq(rel((i, j) => addr.has(i, j)));
  const Data = carry.seq(rawData);
  const Ctrl = carry.seq(rel((i, j) => ctrl.has(i, j)));
  let rscs = rel(() => false);
  for (;;) {
    const open = set((e, i) => e.tag === 'rcu-lock' && !rscs.bits.subarray(i * n, i * n + n).some((b) => b === 1));
    const shut = set(
      (e, i) =>
        e.tag === 'rcu-unlock' &&
        !rscs
          .inverse()
          .bits.subarray(i * n, i * n + n)
          .some((b) => b === 1),
    );
    const unmatched = open.or(shut);
    const between = unmatched.seq(po, unmatched);
    const next = rscs.or(open.seq(po, shut).minus(between.seq(between)));
    if (next.minus(rscs).empty()) break;
    rscs = next;
  }
  const srcuRscs = tagged('srcu-lock')
    .seq(rawData.seq(not(srcuUnlock), rf).star(), rawData, srcuUnlock)
    .and(loc);

  // Basic relations
  const acqPo = Acquire.seq(po, M);
  const poRel = M.seq(po, Release);
  const handOver = po.seq(UL, po.or(rf), LKR, po);
  const R4rmb = Rd.minus(Noreturn);
  const rmb = R4rmb.seq(fencerel(tagged('rmb')), R4rmb);
  const wmb = Wr.seq(fencerel(tagged('wmb')), Wr);
  const mb = onM(fencerel(Mb)).or(
    M.seq(po, Mb.and(Rd)),
    Mb.and(Wr).seq(po, M),
    M.seq(fencerel(tagged('before-atomic')), RMW, po.optional(), M),
    M.seq(po.optional(), RMW, fencerel(tagged('after-atomic')), M),
    M.seq(po.optional(), LKW, fencerel(tagged('after-spinlock')), M),
    M.seq(handOver, tagged('after-unlock-lock'), po, M),
    M.seq(po.optional(), srcuUnlock, fencerel(tagged('after-srcu-read-unlock')), M),
  );
  const gp = po.seq(tagged('sync-rcu', 'sync-srcu'), po.optional());
  const strong0 = mb.or(gp);
  const nonrw = strong0.or(poRel, acqPo);
  const fence0 = nonrw.or(wmb, rmb);

  const broken: string[] = [];
  if (!poLoc.or(rf, co, fr).acyclic()) broken.push('coherence');
  if (!rmw.and(fr.and(ext).seq(co.and(ext))).empty()) broken.push('atomic');

  const dep = Addr.or(Data);
  const rwdep = dep.or(Ctrl).seq(Wr);
  const overwrite = co.or(fr);
  const toW = rwdep.or(overwrite.and(int), Addr.seq(Plain, wmb));
  const toR = Addr.seq(Rd).or(dep.seq(Marked, rfi));
  const ppo = toR.or(toW, fence0.and(int), handOver.and(int));
  const aCumul = (r: Naive): Naive => rfe.seq(Marked).optional().seq(r);
  const sequence = rf.seq(rmw).star();
  const cumulFence = Marked.seq(aCumul(strong0.or(poRel)).or(wmb, handOver), Marked, sequence);
  const prop = Marked.seq(overwrite.and(ext).optional(), cumulFence.star(), Marked, rfe.optional(), Marked);
  const id = rel((i, j) => i === j);
  const hb = Marked.seq(ppo.or(rfe, prop.minus(id).and(int)), Marked);
  if (!hb.acyclic()) broken.push('happens-before');
  const pb = prop.seq(strong0, hb.star(), Marked);
  if (!pb.acyclic()) broken.push('propagation');

  const link = po.optional().seq(hb.star(), pb.star(), prop, po);
  const rcuGp = tagged('sync-rcu');
  const srcuGp = tagged('sync-srcu');
  const back = rscs.inverse();
  const srcuBack = srcuRscs.inverse();
  let order = rel(() => false);
  for (;;) {
    const mid = link.seq(order, link);
    const next = order.or(
      rcuGp,
      srcuGp,
      rcuGp.seq(link, back),
      srcuGp.seq(link, srcuBack).and(loc),
      back.seq(link, rcuGp),
      srcuBack.seq(link, srcuGp).and(loc),
      rcuGp.seq(mid, back),
      srcuGp.seq(mid, srcuBack).and(loc),
      back.seq(mid, rcuGp),
      srcuBack.seq(mid, srcuGp).and(loc),
      order.seq(link, order),
    );
    if (next.minus(order).empty()) break;
    order = next;
  }
  const rcuFence = po.seq(order, po.optional());
  const fence = fence0.or(rcuFence);
  const strong = strong0.or(rcuFence);
  const rb = prop.seq(rcuFence, hb.star(), pb.star(), Marked);
  if (!rb.irreflexive()) broken.push('rcu');

  const xb = hb.or(pb, rb).star();
  const vis = cumulFence.star().seq(rfe.optional(), Marked, strong.seq(Marked, xb).or(xb.and(int)));
  const wPre = Marked.seq(Addr.or(fence).optional());
  const rPre = Marked.seq(Addr.or(nonrw, R4rmb.seq(fencerel(tagged('rmb')), not(Noreturn))).optional());
  const wPost = fence.optional().seq(Marked, sequence);
  const rPost = nonrw
    .or(not(Noreturn).seq(fencerel(tagged('rmb')), R4rmb))
    .optional()
    .seq(Marked);
  const wwVis = fence.or(strong.seq(xb, wPre), wPost.seq(vis, wPre));
  const wrVis = fence.or(strong.seq(xb, rPre), wPost.seq(vis, rPre));
  const rwXb = fence.or(rPost.seq(xb, wPre));
  const at = (s: Naive, i: number): boolean => s.has(i, i);
  const preRace = rel(
    (i, j) => ext.has(i, j) && ((at(Plain, i) && at(M, j)) || (at(M, i) && !at(IW, i) && at(Plain, j))),
  );
  const incoherent = rf.and(rwXb.inverse()).or(fr.and(wrVis.inverse()), co.and(wwVis.inverse())).and(preRace);
  if (!incoherent.empty()) broken.push('plain-coherence');

  const nonrace = rel(
    (i, j) => wwVis.has(i, j) && (at(Marked, i) || rwXb.has(i, j)) && (at(Marked, j) || wrVis.has(i, j)),
  );
  const race = preRace
    .and(co)
    .minus(nonrace)
    .or(preRace.and(co.optional().seq(rf)).minus(wrVis).minus(rwXb.inverse()), preRace.and(fr).minus(rwXb));
  return { broken, race: !race.empty() };
}
