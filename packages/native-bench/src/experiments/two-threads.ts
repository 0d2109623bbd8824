// SPDX-License-Identifier: GPL-2.0-only
import type { KeyOptions } from '../harness/keys.js';
import type { SubjectSource } from '../harness/subject.js';
import { add, measurePair, type Session } from '../measure.js';
import { makeWorld, type World } from '../world.js';

/** Each thread has one half of the file for itself, so no page is looked up by both. */
const halves = (pages: number): readonly [KeyOptions, KeyOptions] => [
  { first: 0, pages: pages / 2, pattern: 'uniform', seed: 3 },
  { first: pages / 2, pages: pages / 2, pattern: 'uniform', seed: 4 },
];
const HOT: KeyOptions = { first: 77, pages: 1, pattern: 'one', seed: 1 };

type Sources = readonly [SubjectSource, SubjectSource];
const both = (
  keys: readonly [KeyOptions, KeyOptions],
  source: (keys: KeyOptions, thread: 0 | 1) => SubjectSource,
): Sources => [source(keys[0], 0), source(keys[1], 1)];

const nativeLookups =
  (world: World, peek: boolean, module: 'native' | 'bundled' = 'native') =>
  (keys: KeyOptions): SubjectSource => ({ module, options: { world, keys, peek } });

/** How many lookups two threads do in the time in which one does one. */
export async function twoThreads(session: Session): Promise<void> {
  const { pages } = session;
  const lockless = makeWorld({ generation: 'freeze-refs', pages });
  const locked = makeWorld({ generation: 'tree-lock', pages });
  const quiet = makeWorld({ generation: 'freeze-refs', pages, rcu: 'qsbr' });
  const own = halves(pages);
  const hot = [HOT, HOT] as const;
  const entries = { entries: pages };
  const subjects: readonly (readonly [string, Sources])[] = [
    ['this machine, computing', both(own, () => ({ module: 'arithmetic', options: {} }))],
    ['own pages, lockless', both(own, nativeLookups(lockless, false))],
    ['own pages, tree_lock', both(own, nativeLookups(locked, false))],
    ['own pages, lockless, bundled', both(own, nativeLookups(lockless, false, 'bundled'))],
    ['own pages, tree_lock, bundled', both(own, nativeLookups(locked, false, 'bundled'))],
    ['own pages, peek', both(own, nativeLookups(lockless, true))],
    ['own pages, lockless, quiet', both(own, nativeLookups(quiet, false))],
    ['own pages, peek, quiet', both(own, nativeLookups(quiet, true))],
    [
      'own pages, by hand',
      both(own, (keys) => ({ module: 'by-hand', options: { world: lockless, keys, peek: false } })),
    ],
    [
      'own pages, wasm',
      both(own, (keys, thread) => ({ module: 'wasm', options: { world: lockless, keys, form: 'read', thread } })),
    ],
    ['one page, lockless', both(hot, nativeLookups(lockless, false))],
    ['one page, lockless, bundled', both(hot, nativeLookups(lockless, false, 'bundled'))],
    ['one page, tree_lock', both(hot, nativeLookups(locked, false))],
    ['one page, peek', both(hot, nativeLookups(lockless, true))],
    ['one page, peek, quiet', both(hot, nativeLookups(quiet, true))],
    ['one page, peek, bundled', both(hot, nativeLookups(lockless, true, 'bundled'))],
    ['Map.get, a Map for each', both(own, (keys) => ({ module: 'map', options: { ...entries, keys } }))],
  ];
  for (const [subject, [first, second]] of subjects) {
    const pair = await measurePair(session, 'two threads', [
      { name: subject, ...first },
      { name: `${subject}, second thread`, ...second },
    ]);
    if (pair === null) continue;
    const figure = { experiment: 'two threads', subject };
    add(session, { ...figure, measure: 'two threads, × one' }, pair.scaling);
    add(session, { ...figure, measure: 'ns alone' }, [...pair.alone[0], ...pair.alone[1]]);
    add(session, { ...figure, measure: 'ns together' }, [...pair.together[0], ...pair.together[1]]);
    add(session, { ...figure, measure: 'overlap' }, pair.overlap);
  }
}

/** Lookups beside a thread that inserts pages into the same file and reclaims them, as fast as it can. */
export async function besideWriter(session: Session): Promise<void> {
  const { pages } = session;
  const spare = 2048;
  const kinds = [
    ['lockless', 'freeze-refs', 'mb', [false, true]],
    ['lockless, quiet', 'freeze-refs', 'qsbr', [false, true]],
    ['tree_lock', 'tree-lock', 'mb', [false]],
  ] as const;
  for (const [kind, generation, rcu, peeks] of kinds) {
    const world = makeWorld({ generation, pages, spare: 2 * spare, rcu });
    const keys: KeyOptions = { first: 0, pages, pattern: 'zipf', seed: 5 };
    for (const peek of peeks) {
      const subject = `${kind}${peek ? ', peek' : ''}`;
      const pair = await measurePair(session, 'beside a writer', [
        { name: subject, ...nativeLookups(world, peek)(keys) },
        { name: `${subject}, writer`, module: 'writer', options: { world, first: pages, pages: spare } },
      ]);
      if (pair === null) continue;
      const figure = { experiment: 'beside a writer', subject };
      add(session, { ...figure, measure: 'rate kept' }, pair.kept);
      add(session, { ...figure, measure: 'ns alone' }, pair.alone[0]);
      add(session, { ...figure, measure: 'ns together' }, pair.together[0]);
      add(session, { ...figure, measure: 'ns of a page in and out, alone' }, pair.alone[1]);
      add(session, { ...figure, measure: 'ns of a page in and out, together' }, pair.together[1]);
      add(session, { ...figure, measure: 'overlap' }, pair.overlap);
    }
  }
}
