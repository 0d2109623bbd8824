// SPDX-License-Identifier: MIT
// Microseconds for one check and one instantiation: node bench/check.mjs (after npm run build).
import { performance } from 'node:perf_hooks';
import { lkmm, Relation, sc, tso } from '../dist/index.js';

/** Threads of `[type, tag, location]`; initial stores first; each load reads from its location's first other store, or the initial one. */
function graph(threads, readsInitial = () => true) {
  const locations = [...new Set(threads.flat().flatMap(([, , x]) => (x === undefined ? [] : [x])))];
  const events = locations.map((_, location) => ({
    thread: -1,
    type: 'W',
    tag: 'once',
    location,
    partner: -1,
    value: 0,
  }));
  threads.forEach((code, thread) => {
    for (const [type, tag, x] of code)
      events.push({ thread, type, tag, location: x === undefined ? -1 : locations.indexOf(x), partner: -1, value: 1 });
  });
  const size = events.length;
  const rf = new Int32Array(size).fill(-1);
  const co = new Relation(size);
  const stores = (location) => events.flatMap((e, i) => (e.type === 'W' && e.location === location ? [i] : []));
  events.forEach((event, i) => {
    if (event.type !== 'R') return;
    const [initial, first] = stores(event.location);
    rf[i] = readsInitial(event, i) || first === undefined ? initial : first;
  });
  for (const [location] of locations.entries()) {
    const chain = stores(location);
    chain.forEach((a, i) => {
      for (const b of chain.slice(i + 1)) co.add(a, b);
    });
  }
  const none = () => new Relation(size);
  return { skeleton: { events, addr: none(), data: none(), ctrl: none() }, witness: { rf, co } };
}

const once = (type, x) => [type, 'once', x];
const fence = (tag) => ['F', tag];
const sb = (n, between) =>
  graph(
    Array.from({ length: n }, (_, i) => [once('W', `x${i}`), ...between, once('R', `x${(i + 1) % n}`)]),
    (e) => e.thread !== 0,
  );
const iriw = graph(
  [
    [once('W', 'x')],
    [once('R', 'x'), fence('mb'), once('R', 'y')],
    [once('W', 'y')],
    [once('R', 'y'), fence('mb'), once('R', 'x')],
  ],
  (e) => e.thread === 3,
);
/** n updaters with a grace period each, n readers, in a ring; everybody reads the new value but one. */
const rcu = (n) =>
  graph(
    Array.from({ length: 2 * n }, (_, i) => {
      const body = [once('R', `x${i}`), once('W', `x${(i + 1) % (2 * n)}`)];
      return i % 2 === 0 ? [body[0], fence('sync-rcu'), body[1]] : [fence('rcu-lock'), ...body, fence('rcu-unlock')];
    }),
    (e) => e.thread === 0,
  );
const plain = graph(
  Array.from({ length: 4 }, (_, i) => [
    ['W', 'plain', `d${i}`],
    ['W', 'release', `f${i}`],
    ['R', 'acquire', `f${(i + 1) % 4}`],
    ['R', 'plain', `d${(i + 1) % 4}`],
    once('W', `x${i}`),
    once('R', `x${(i + 1) % 4}`),
  ]),
  (e) => e.thread === 3,
);

const cases = {
  'SB(12)': sb(12, []),
  'SB(12) with smp_mb': sb(12, [fence('mb')]),
  'IRIW with smp_mb': iriw,
  'RCU ring of 8': rcu(4),
  'plain MP, 4 threads': plain,
};

function microseconds(what) {
  for (let i = 0; i < 3000; i++) what();
  const rounds = 20_000;
  const start = performance.now();
  for (let i = 0; i < rounds; i++) what();
  return ((performance.now() - start) * 1000) / rounds;
}

console.log('us per check (instantiation)'.padEnd(30), ...[sc, tso, lkmm].map(({ name }) => name.padStart(16)));
for (const [name, { skeleton, witness }] of Object.entries(cases)) {
  const row = [sc, tso, lkmm].map((model) => {
    const checker = model.instantiate(skeleton);
    const check = microseconds(() => checker.broken(witness));
    const make = microseconds(() => model.instantiate(skeleton));
    return `${check.toFixed(1)} (${make.toFixed(1)}) ${checker.broken(witness) === null ? '' : '!'}`.padStart(16);
  });
  console.log(`${name}, ${skeleton.events.length} events`.padEnd(30), ...row);
}
